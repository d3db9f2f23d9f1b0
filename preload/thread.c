/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pthread_create, wrapped: the place where it is known, outside of malloc and of every lock of
 * libc, that the program has a second thread. */
#include "background.h"
#include "compiler.h"
#include "mutex.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

typedef int create_function(pthread_t *thread, const pthread_attr_t *attributes,
                            void *(*run)(void *), void *argument);

static _Atomic(create_function *) libc_create; /* relaxed: every thread finds the same */

/* dlsym allocates only to describe an error; RTLD_NEXT finds libc's or another wrapper's. */
static create_function *find_libc_create(void)
{
    create_function *found = atomic_load_explicit(&libc_create, memory_order_relaxed);
    if (found == NULL) {
        void *address = dlsym(RTLD_NEXT, "pthread_create");
        __builtin_memcpy(&found, &address, sizeof(found));
        atomic_store_explicit(&libc_create, found, memory_order_relaxed);
    }
    return found;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's have underscores */
PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    create_function *create = find_libc_create();
    if (create == NULL) {
        return EAGAIN;
    }
    mutex_expect_threads();
    int error = create(thread, attributes, run, argument);
    if (error == 0) {
        background_on_thread();
    }
    return error;
}
