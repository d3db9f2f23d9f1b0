/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which thread has which cache: made at a thread's first slow call, handed on when it ends.
 *
 * A cache is opened before the thread-specific destructor is registered, so that what that may
 * allocate comes from it. The destructor gives its magazines to the depots and leaves the thread
 * with the shared closed cache for what it still allocates and frees. Caches are never unmapped.
 *
 * Locks: one for the unused caches and the list of all. */
#ifndef POOLMALLOC_TCACHE_THREADS_H
#define POOLMALLOC_TCACHE_THREADS_H

#include "tcache_bin.h"

enum { TCACHE_CALLS_PER_CLOCK = 64 };

/* The calling thread's own cache, made on first use. NULL: out of memory, or the thread is past
 * its destructors. */
struct tcache *tcache_own(void);

/* The arena the calling thread takes from. NULL: out of memory. */
struct arena *tcache_own_arena(void);

/* Called at the exit of a thread with shares of pools, while its cache still works. */
extern void (*tcache_on_pools_exit)(struct pool_table *table);

/* Every cache ever made, for walkers; release pairs with acquire. */
extern _Atomic(struct tcache *) tcache_newest;
struct tcache *tcache_first(void);
/* In a forked child: takes back the caches of all threads that are gone. */
void tcache_abandon_others(void);

#endif
