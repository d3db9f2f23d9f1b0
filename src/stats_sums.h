/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a walk over the allocator's structures has found, and how it is made to add up.
 *
 *     waterfall        in_use + rounding + thread_caches + depots + free_slots - untouched
 *                      + free_pages + metadata = resident;  + retained = mapped
 *
 * Invariants after stats_settle, whatever changed while it was read:
 *  1. The waterfall adds up exactly.
 *  2. Of every class: live + free + depot + cached slots = the slots of its runs. */
#ifndef POOLMALLOC_STATS_SUMS_H
#define POOLMALLOC_STATS_SUMS_H

#include "layout.h"

struct stats_class {
    uint64_t runs;         /* subpages, or runs, or huge mappings */
    uint64_t live;         /* slots, or runs, that the program holds */
    uint64_t free_slots;   /* in subpages */
    uint64_t depot_slots;  /* in full magazines that wait in depots */
    uint64_t cached_slots; /* in thread caches */
    uint64_t allocs;       /* since the start, like all below */
    uint64_t misses;
    uint64_t slow_allocs;
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
    uint64_t allocs;
    uint64_t misses;
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

/* Resident bytes by what they are, as a walk counts them. */
struct stats_found {
    uint64_t used_resident; /* of chunks' pages in use */
    uint64_t huge_resident; /* of huge blocks */
    uint64_t huge_mapped;   /* all of their mappings, kept ones too */
    uint64_t free_resident; /* of free pages, and of huge mappings beside their blocks */
};

/* Makes live slots, totals and the waterfall from what was counted. */
void stats_settle(struct stats *stats, const struct stats_found *found);

/* All slots of a class, whoever has them. */
static inline uint64_t stats_class_slots(const struct stats_class *counts)
{
    return counts->live + counts->free_slots + counts->depot_slots + counts->cached_slots;
}

/* Estimated: the bytes that live blocks of a class are larger than what was asked for. */
uint64_t stats_class_rounding(const struct stats *stats, unsigned class);

#endif
