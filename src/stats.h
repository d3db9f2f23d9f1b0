/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one collector of statistics: it walks the allocator's structures from the roots of a layout
 * and sums them up, in this process or in another one, whatever the reader reads.
 *
 *     waterfall        in_use + rounding + thread_caches + depots + free_slots - untouched
 *                      + free_pages + metadata = resident;  + retained = mapped
 *
 * Invariants, whatever changes while it is read:
 *  1. The waterfall adds up exactly.
 *  2. Of every class: live + free + depot + cached slots = the slots of its runs.
 *
 * No locks, no allocation; every walk is bounded, every address comes from structures that are
 * never unmapped, and what cannot be true is dropped. So it may run in a signal handler. */
#ifndef POOLMALLOC_STATS_H
#define POOLMALLOC_STATS_H

#include "layout.h"

struct reader {
    /* Copies from the process that is looked into. false: not readable. */
    bool (*read)(struct reader *reader, const void *address, void *target, size_t bytes);
    /* For each OS page of a range 1 when it is resident, else 0 (bit 0 of a byte). NULL or false:
     * not known; what was written is then taken to be resident. */
    bool (*resident)(struct reader *reader, const void *start, size_t bytes, uint8_t *pages);
    size_t os_page_bytes;
};

struct stats_class {
    uint64_t runs;         /* subpages, or runs, or huge mappings */
    uint64_t live;         /* slots, or runs, that the program holds */
    uint64_t free_slots;   /* in subpages */
    uint64_t depot_slots;  /* in full magazines that wait in depots */
    uint64_t cached_slots; /* in thread caches */
    uint64_t slow_allocs;  /* since the start, like all below */
    uint64_t slow_frees;
    uint64_t request_bytes; /* asked for in slow_allocs */
    uint64_t refills;
    uint64_t flushes;
    uint64_t lock_waits;
};

struct stats_arena {
    uint64_t threads;
    uint64_t chunks;
    uint64_t chunks_by_usage[USAGE_LIST_COUNT];
    uint64_t active_bytes;
    uint64_t free_pages_bytes; /* resident */
    uint64_t purged_bytes;
    uint64_t purges;
    uint64_t lock_waits;
};

/* Every field is explained in stats_table.c. */
struct stats_totals {
    uint64_t in_use;
    uint64_t rounding;
    uint64_t thread_caches;
    uint64_t depots;
    uint64_t free_slots;
    uint64_t untouched;
    uint64_t free_pages;
    uint64_t metadata;
    uint64_t resident;
    uint64_t retained;
    uint64_t mapped;
    uint64_t allocated;
    uint64_t active;
    uint64_t dirty;
    uint64_t huge;
    uint64_t untouched_huge;
    uint64_t metadata_mapped;
    uint64_t cache_budget;
    uint64_t cache_reserved;
    uint64_t peak_active;
    uint64_t peak_allocated;
    uint64_t live_blocks;
    uint64_t threads;
    uint64_t arenas;
    uint64_t arenas_allowed;
    uint64_t affinity_cpus;
    uint64_t quota_cpus;
    uint64_t chunks;
    uint64_t slow_allocs;
    uint64_t slow_frees;
    uint64_t refills;
    uint64_t flushes;
    uint64_t purged;
    uint64_t purges;
    uint64_t lock_waits;
};

enum { STATS_RESIDENT_PAGES = 4096, STATS_LEAVES_PER_READ = 512 };

struct stats {
    struct stats_totals totals;
    struct stats_class classes[CLASS_COUNT];
    struct stats_arena arenas[ARENA_MAX_COUNT]; /* the first totals.arenas; others are left alone */
    uint64_t process_id;                        /* filled in by the caller, like unix_seconds */
    uint64_t unix_seconds;                      /* when */
    bool residency_is_known;
    bool arena_count_is_configured;
    /* The collector's working memory, kept off the stack: it may run on a small one. */
    union {
        struct arena arena;
        struct tcache tcache;
        struct {
            uint64_t in_use[BITMAP_WORDS(CHUNK_PAGES)];
            uint64_t dirty[BITMAP_WORDS(CHUNK_PAGES)];
            uint8_t resident[STATS_RESIDENT_PAGES];
        } chunk;
    } scratch;
    struct page_map_leaf *leaves[STATS_LEAVES_PER_READ];
};

/* layout: read and found to fit. false: the structures could not be read to the end; what was
 * found so far is summed up. */
bool stats_collect(struct stats *stats, const struct layout *layout, struct reader *reader);

/* Bytes of a class that stand in its column of a report. */
static inline uint64_t stats_class_slots(const struct stats_class *counts)
{
    return counts->live + counts->free_slots + counts->depot_slots + counts->cached_slots;
}

/* Estimated: the bytes that live blocks of a class are larger than what was asked for. */
uint64_t stats_class_rounding(const struct stats *stats, unsigned class);

#endif
