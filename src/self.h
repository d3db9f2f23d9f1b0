/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who the calling thread is, as far as the lower floors must know: the library's one pointer of
 * static thread-local storage, and the number by which locks name their holder. */
#ifndef POOLMALLOC_SELF_H
#define POOLMALLOC_SELF_H

#include <stdint.h>

struct tcache;

/* Threads without a thread cache (before their first slow call, after their last destructor)
 * share this number. Fork treats locks held under it as held by a thread that is gone. */
enum { THREAD_ID_NONE = 0x3fffffff };

/* The head of struct tcache. */
struct self {
    uint32_t thread_id; /* 1 .. THREAD_ID_NONE, unique among living threads; const */
};

/* Never NULL: a thread without a cache of its own points at a shared empty one. */
extern _Thread_local struct self *self_current;

#endif
