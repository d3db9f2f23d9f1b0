/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread cache's slow paths, and its ageing by the clock. What it is made of: tcache_bin.h; how
 * threads come by it: tcache_threads.h.
 *
 * On empty: the spare if it is full, a magazine from the own depot, from another arena's, else half
 * a magazine from the bitmaps. On full: an empty magazine; the full one becomes the spare, a full
 * spare goes to the depot, or to the bitmaps when the budget is spent. */
#ifndef POOLMALLOC_TCACHE_H
#define POOLMALLOC_TCACHE_H

#include "tcache_threads.h"

/* A slot of a small or cached normal class when the fast path found none. request_bytes: for the
 * statistics. NULL: out of memory. */
void *tcache_alloc_slow(unsigned class, size_t request_bytes);
/* Takes a block of a small or cached normal class when the fast path had no room. */
void tcache_free_slow(unsigned class, void *block);

/* For the slow calls that no cache serves: counts them towards the clock. */
void tcache_poll(void);
/* The same for an allocation of a normal class, and counts it for the statistics. */
void tcache_count_alloc(unsigned class, size_t request_bytes);
/* Does what the clock makes due, for the whole process. */
void tcache_turn_clock(void);

/* Gives all slots of the calling thread's cache back to the bitmaps. */
void tcache_flush(void);

#endif
