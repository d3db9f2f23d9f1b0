/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a wrapper of ours wraps. */
#ifndef POOLMALLOC_WRAPPED_H
#define POOLMALLOC_WRAPPED_H

#include <dlfcn.h>
#include <stdatomic.h>

/* libc's function, or another wrapper's; NULL: there is none. dlsym allocates only to describe an
 * error. found: relaxed, every thread finds the same. */
static inline void *wrapped_find(_Atomic(void *) *found, const char *name)
{
    void *address = atomic_load_explicit(found, memory_order_relaxed);
    if (address == NULL) {
        address = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(found, address, memory_order_relaxed);
    }
    return address;
}

#endif
