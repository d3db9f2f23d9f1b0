/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread cache: one magazine in use per size class, and one spare.
 *
 *     self_current -> struct tcache | tops[class]   | ---> loaded magazine: next free place
 *                                   | limits[class] | ---> its end
 *                                   | loaded, spare magazines, counters, arena
 *
 * Taking a slot:  p = tops[class][-1]; NULL: slow; tops[class]--.
 * Putting it:     tops[class] == limits[class]: slow; *tops[class]++ = p.
 *
 * Before its first slow call a thread points at the shared empty cache, past its last destructor
 * at the shared closed one. Neither is written to while a thread points at it, their bins are empty
 * and full at once, so that every call takes the slow path; so are those of a cache in checking
 * mode.
 *
 * Invariants (tcache_is_valid):
 *  1. tops lies within the loaded magazine's slots, limits at its capacity.
 *  2. The word below an empty top is NULL.
 *  3. A bin without a magazine is empty and full.
 *
 * Threads: a cache is its thread's own, but for spare, which others may take by exchange.
 *
 * Fork: a slow path names the bin that it rearranges in `changing`. A forked child takes back the
 * caches of the threads that are gone, but for that bin: what it held is lost to the child. */
#ifndef POOLMALLOC_TCACHE_BIN_H
#define POOLMALLOC_TCACHE_BIN_H

#include "arena.h"
#include "self.h"

enum tcache_state {
    TCACHE_EMPTY,  /* the shared one of threads that have none yet */
    TCACHE_CLOSED, /* the shared one of threads past their destructors */
    TCACHE_UNUSED, /* waits for a new thread */
    TCACHE_OPEN,
};

/* What a slow call saw, by class. Owner writes, statistics read without order. */
struct tcache_counts {
    uint64_t slow_allocs; /* every allocation of a normal class is one */
    uint64_t misses;      /* of them: the cache had nothing loaded */
    uint64_t slow_frees;
    uint64_t request_bytes; /* asked for in slow_allocs, to estimate rounding */
};

/* A thread's shares of object pools, see pool_local.h. */
struct pool_table;
struct pool_local;
enum { TCACHE_POOLS = 64 };

/* Is in every place without a share. Defined in pool_local.c, which knows what lies in it. */
extern struct pool_local tcache_no_pool;

struct tcache {
    uint32_t state; /* enum tcache_state */
    void **tops[CLASS_COUNT];
    void **limits[CLASS_COUNT];
    uint64_t fast_allocs[CLASS_COUNT]; /* served by the fast path; statistics read it */
    /* Below: slow paths only. */
    struct magazine *loaded[CLASS_HUGE];
    _Atomic(struct magazine *) spare[CLASS_HUGE]; /* acquire-release: slots come with it */
    void **idle_tops[CLASS_HUGE];                 /* tops as the last tick found them */
    struct tcache_counts counts[CLASS_COUNT];
    _Atomic uint32_t changing; /* relaxed: read in a forked child, when the owner is gone */
    struct arena *arena;
    struct pool_local *pools[TCACHE_POOLS]; /* the shares in use; never NULL */
    struct pool_table *pool_table;          /* all shares; NULL: none yet */
    _Atomic uint32_t tick_seen; /* the tick at which the cache was last aged; relaxed: a hint */
    uint32_t calls_to_clock;    /* slow calls until the clock is read again */
    uint32_t os_thread_id;
    struct tcache *next;        /* all caches ever made; const once published */
    struct tcache *next_unused; /* guarded by the lock of the unused ones */
};

static inline struct tcache *tcache_current(void)
{
    return self_current;
}

/* What tops and limits of a bin without a magazine point behind. */
extern void *tcache_no_slots[1];

/* Moves between a bin's loaded magazine, its spare place and elsewhere. Owner only, but for
 * tcache_take_spare. Those that rearrange a bin stand between begin and end. */
void tcache_begin_change(struct tcache *tcache, unsigned class);
void tcache_end_change(struct tcache *tcache);
void tcache_close_bin(struct tcache *tcache, unsigned class);
void tcache_load(struct tcache *tcache, unsigned class, struct magazine *magazine);
void tcache_unload(struct tcache *tcache, unsigned class);
struct magazine *tcache_take_spare(struct tcache *tcache, unsigned class);
void tcache_put_spare(struct tcache *tcache, unsigned class, struct magazine *magazine);

/* Magazines stand in the byte budget with their capacity, wherever they are.
 * NULL: the budget is spent or memory is out. */
struct magazine *tcache_create_magazine(unsigned class, unsigned capacity);
void tcache_discard(unsigned class, struct magazine *magazine);
/* Twice that of the loaded one, up to the class's. loaded: or NULL. */
unsigned tcache_next_capacity(const struct magazine *loaded, unsigned class);

/* To the bitmaps: a magazine's slots; all that a bin holds. */
void tcache_flush_magazine(unsigned class, struct magazine *magazine);
void tcache_flush_bin(struct tcache *tcache, unsigned class);
/* To the depots: all magazines. */
void tcache_retire_bins(struct tcache *tcache);

/* Slots of a class that lie in a cache: exact for the own one, a moment's for others. */
unsigned tcache_cached_slots(struct tcache *tcache, unsigned class);
bool tcache_is_valid(struct tcache *tcache);

#endif
