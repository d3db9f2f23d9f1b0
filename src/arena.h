/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chunks, bins and depots shared by a set of threads.
 *
 *     arena | lock | chunks by usage: init, 0, 25, 50, 75, 100 %; see chunk_groups.h
 *           | bin of class 1 | bin of class 2 | ...      subpages with free slots, a lock each
 *           | depot of class 1 | depot of class 2 | ...  full magazines
 *
 * The usage lists overlap, as in Netty's PoolChunkList, so that a chunk does not flap between two:
 *     init 0-25   0: 1-50   25: 25-75   50: 50-100   75: 75-100   100: 100 %
 * Runs are taken from the fullest list that has one, its first chunk first, lowest address in it:
 * chunks fill up or drain. A chunk that drained to nothing goes back to init and may be unmapped
 * from there.
 *
 * An arena wants attention at once, not only when time has passed, so that memory does not grow
 * for nothing: when its resident pages are 1/16 and 2 MiB above where they were at the last time (a
 * step of growth, a tick like those of the clock; ticks let that mark sink), or 1/256 and 2 MiB
 * while its share of what caches hold is more than 1/8 of them; and when it is mostly garbage, with
 * more pages free and dirty than used, and more than 64 MiB of them.
 *
 * With huge_pages:true, a chunk that an arena of four or more adds while they are 7/8 used may have
 * huge pages; it is purged by whole ones, until less than half of it is used: then it refuses them,
 * so that the kernel does not fill up again what was purged.
 *
 * Locks: `lock` guards the groups and, in chunk.h's words, the chunks. A bin's lock guards
 * its subpages. Order: bin, then arena; no two of a kind at once.
 *
 * Fork: what a lock guards has an epoch. When a forked child finds a lock held by a thread that is
 * gone, what it guards may be half changed: the child forgets it and starts the next epoch.
 * Subpages and chunks of an older epoch give nothing more, what is freed into them is dropped.
 * Epochs of bins wrap after 65,536 generations of children that each met the same lock held.
 */
#ifndef POOLMALLOC_ARENA_H
#define POOLMALLOC_ARENA_H

#include "chunk_groups.h"
#include "depot.h"
#include "mutex.h"

enum { ARENA_MAX_COUNT = 256 };

struct bin {
    struct mutex lock;     /* guards all below, and what subpage.h says */
    struct list subpages;  /* those with free slots, the one to take from first */
    uint64_t free_slots;   /* bits set in all its subpages */
    uint64_t refill_count; /* times a magazine was filled from bitmaps */
    uint64_t flush_count;  /* times slots were given back to bitmaps */
    uint32_t calls_seen;   /* the sum of both at the last step of decay, its low bits */
    uint32_t calls_purged; /* and when its free slots were last purged */
    uint16_t epoch;
} CACHE_ALIGNED;

struct arena {
    struct mutex lock; /* guards all up to the bins */
    struct chunk_groups chunks;
    struct list all_chunks;         /* newest first */
    char *lowest_base;              /* of any chunk so far; the next one is wanted below it */
    uint32_t chunk_count;           /* mapped, of any epoch */
    uint64_t used_pages;            /* in runs and subpages, or on their way to the kernel */
    uint64_t dirty_pages;           /* free and dirty */
    uint64_t resident_mark;         /* growth is counted from here, see above */
    uint64_t purged_bytes;          /* since the start */
    uint64_t purge_calls;           /* since the start */
    uint32_t run_count[CLASS_HUGE]; /* subpages and normal runs in use, by class */
    uint32_t epoch;
    uint32_t index;                /* const: its place among the arenas */
    _Atomic uint32_t thread_count; /* relaxed: a hint for choosing */
    struct bin bins[CLASS_SMALL_LAST + 1];
    struct depot depots[CLASS_NORMAL_LAST + 1];
};

/* The arenas made so far are arena_at(0) .. arena_at(arena_count() - 1). */
struct arena *arena_at(unsigned index);
unsigned arena_count(void);

/* The arena with the fewest threads, counting the caller in; made when there is none or when the
 * CPUs allow another one. NULL: out of memory. */
struct arena *arena_join(void);
void arena_leave(struct arena *arena);

/* Set when an arena wants attention; who finds it set clears it and purges. Relaxed: a hint. */
extern _Atomic bool arena_wants_purge;

struct arena_pages {
    uint64_t used;
    uint64_t dirty; /* free and dirty */
};
struct arena_pages arena_pages(struct arena *arena);
struct arena_pages arena_pages_of_all(void);

/* At each tick: lets the mark of growth sink towards what is resident. */
void arena_lower_mark(struct arena *arena);

/* How many arenas there may be, and why. */
struct arena_limit {
    unsigned count;
    unsigned affinity_cpus;
    unsigned quota_cpus; /* 0: no quota */
    bool is_configured;
};
struct arena_limit arena_limit(void);

/* Where all arenas are found; for arena_table.c and for walkers. */
struct arena_table {
    struct mutex lock;                            /* guards making an arena, and limit */
    _Atomic(struct arena *) all[ARENA_MAX_COUNT]; /* release pairs with acquire */
    _Atomic uint32_t count;
    struct arena_limit limit; /* count 0: not looked up yet */
};
extern struct arena_table arenas;

/* The pages of one run of a small or normal class, starting at a multiple of 2^order pages, those
 * of a subpage at a multiple of their own number rounded up to a power of two, if that is more.
 * page NULL: out of memory in this arena. */
struct chunk_run arena_alloc_run(struct arena *arena, unsigned class, unsigned order);
void arena_free_run(struct page *page);

/* Normal blocks: a run with its class in the page map. */
struct arena_block {
    void *start; /* NULL: out of memory */
    bool is_zeroed;
};
struct arena_block arena_alloc_normal(struct arena *arena, unsigned class, unsigned order);
/* The same from any other arena when this one has no memory left. */
struct arena_block arena_alloc_normal_anywhere(struct arena *own, unsigned class, unsigned order);
/* The run that starts exactly here; anything else ends the process as a misuse of free. */
struct page *arena_normal_page(const void *start);
void arena_free_normal(struct page *page);
/* Resizes where it is. false: it stays as it was. */
bool arena_resize_normal(struct page *page, unsigned new_class);

/* After a change of a chunk's pages: keeps the arena's sums, and puts the chunk into the usage list
 * where it belongs. */
void arena_settle_chunk_locked(struct arena *arena, struct chunk *chunk) REQUIRES(arena->lock);

bool arena_is_valid(struct arena *arena);

/* In a forked child: starts new epochs where threads now gone held locks, in every arena. */
void arena_abandon_locks(void);

#endif
