/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_table.h"

#define FIELD(kind, type, field, help)                                                             \
    {                                                                                              \
#field, help, offsetof(type, field), kind                                                  \
    }

#define ROW(kind, field, help) FIELD(kind, struct stats_totals, field, help)
#define CLASS_ROW(kind, field, help) FIELD(kind, struct stats_class, field, help)
#define ARENA_ROW(kind, field, help) FIELD(kind, struct stats_arena, field, help)

/* The waterfall first, in its order; then other moments; then what only grows. */
const struct stat_row stat_rows[] = {
    ROW(STAT_BYTES, in_use, "Bytes the program asked for and has not freed, estimated."),
    ROW(STAT_BYTES, rounding,
        "Bytes by which live blocks are larger than what was asked for, estimated from the "
        "requests that slow paths saw."),
    ROW(STAT_BYTES, thread_caches, "Bytes of free slots that wait in the caches of threads."),
    ROW(STAT_BYTES, depots,
        "Bytes of free slots that wait in full magazines, shared by the threads of an arena."),
    ROW(STAT_BYTES, free_slots,
        "Bytes of subpages that no block can use at the moment: free slots and the tails of "
        "pages."),
    ROW(STAT_BYTES, untouched,
        "Bytes of pages handed out that nobody has written to yet, so that they are not "
        "resident."),
    ROW(STAT_BYTES, free_pages,
        "Bytes of free pages that are still resident, most of them waiting to be purged."),
    ROW(STAT_BYTES, metadata, "Resident bytes of the allocator's own structures."),
    ROW(STAT_BYTES, resident, "Bytes of memory mapped by the allocator that are resident."),
    ROW(STAT_BYTES, retained,
        "Bytes of mapped addresses without memory behind them: purged or never used."),
    ROW(STAT_BYTES, mapped, "Bytes of addresses mapped by the allocator."),
    ROW(STAT_BYTES, allocated, "Bytes of live blocks, rounding included."),
    ROW(STAT_BYTES, active,
        "Bytes of pages that belong to subpages, runs and huge blocks, used or cached."),
    ROW(STAT_BYTES, dirty,
        "Bytes of free pages that were used before and have not been purged, as the allocator "
        "counts them."),
    ROW(STAT_BYTES, huge, "Bytes of live blocks with a mapping each: above 1 MiB."),
    ROW(STAT_BYTES, untouched_huge, "The part of untouched that lies in huge blocks."),
    ROW(STAT_BYTES, metadata_mapped,
        "Bytes of addresses mapped for the allocator's own structures."),
    ROW(STAT_BYTES, cache_budget, "The most bytes that thread caches and depots may hold."),
    ROW(STAT_BYTES, cache_reserved, "Bytes of that budget taken by magazines, at their capacity."),
    ROW(STAT_BYTES, peak_active, "The largest value of active, as seen at ticks and reports."),
    ROW(STAT_BYTES, peak_allocated, "The value of allocated when active was at its peak."),
    ROW(STAT_COUNT, live_blocks, "Blocks the program holds."),
    ROW(STAT_COUNT, threads, "Threads with a cache of their own."),
    ROW(STAT_COUNT, arenas, "Arenas made so far."),
    ROW(STAT_COUNT, arenas_allowed, "Arenas there may be; 0 while one thread alone has allocated."),
    ROW(STAT_COUNT, affinity_cpus, "CPUs in the process's affinity mask, when it was read."),
    ROW(STAT_COUNT, quota_cpus,
        "CPUs worth of the cgroup's cpu.max, rounded up; 0 without a quota."),
    ROW(STAT_COUNT, chunks, "Chunks of 16 MiB mapped."),
    ROW(STAT_TOTAL, allocs, "Allocations without a mapping of their own."),
    ROW(STAT_TOTAL, misses, "Allocations for which the thread's cache had nothing at hand."),
    ROW(STAT_TOTAL, slow_allocs,
        "Allocations that took the slow path: misses, and those of normal classes."),
    ROW(STAT_TOTAL, slow_frees, "Frees that found no room in the thread's cache at once."),
    ROW(STAT_TOTAL, refills, "Times a magazine was filled from bitmaps."),
    ROW(STAT_TOTAL, flushes, "Times slots were given back to bitmaps."),
    ROW(STAT_TOTAL_BYTES, purged, "Bytes of pages given back to the kernel."),
    ROW(STAT_TOTAL, purges, "Calls that gave pages back to the kernel."),
    ROW(STAT_TOTAL, lock_waits, "Times a thread slept because a lock was held."),
    {0},
};

const struct stat_row stat_class_rows[] = {
    CLASS_ROW(STAT_COUNT, runs, "Subpages in use; runs of a normal class; huge mappings."),
    CLASS_ROW(STAT_COUNT, live, "Blocks of the class that the program holds."),
    CLASS_ROW(STAT_COUNT, free_slots, "Slots that are free in subpages."),
    CLASS_ROW(STAT_COUNT, depot_slots, "Slots that wait in depots."),
    CLASS_ROW(STAT_COUNT, cached_slots, "Slots that wait in the caches of threads."),
    CLASS_ROW(STAT_TOTAL, allocs, "Allocations of the class."),
    CLASS_ROW(STAT_TOTAL, misses, "Allocations for which the thread's cache had nothing at hand."),
    CLASS_ROW(STAT_TOTAL, slow_allocs, "Allocations that took the slow path."),
    CLASS_ROW(STAT_TOTAL, slow_frees, "Frees that found no room in the thread's cache."),
    CLASS_ROW(STAT_TOTAL_BYTES, request_bytes,
              "Bytes asked for in those allocations, with the room that realloc adds."),
    CLASS_ROW(STAT_TOTAL, refills, "Times a magazine was filled from bitmaps."),
    CLASS_ROW(STAT_TOTAL, flushes, "Times slots were given back to bitmaps."),
    CLASS_ROW(STAT_TOTAL, lock_waits, "Times a thread slept at the lock of a bin or a depot."),
    {0},
};

const struct stat_row stat_arena_rows[] = {
    ARENA_ROW(STAT_COUNT, threads, "Threads that take from the arena."),
    ARENA_ROW(STAT_COUNT, chunks, "Chunks of 16 MiB mapped."),
    ARENA_ROW(STAT_BYTES, active_bytes, "Bytes of pages in use."),
    ARENA_ROW(STAT_BYTES, free_pages_bytes, "Bytes of free pages that are still resident."),
    ARENA_ROW(STAT_TOTAL_BYTES, purged_bytes, "Bytes of pages given back to the kernel."),
    ARENA_ROW(STAT_TOTAL, purges, "Calls that gave pages back."),
    ARENA_ROW(STAT_TOTAL, lock_waits, "Times a thread slept at the arena's lock."),
    {0},
};

uint64_t stat_value(const void *object, const struct stat_row *row)
{
    uint64_t value;
    memcpy(&value, (const char *)object + row->offset, sizeof(value));
    return value;
}

const struct stat_row *stat_find(const struct stat_row *table, const char *name)
{
    for (const struct stat_row *row = table; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

const char *stats_kind_name(enum size_kind kind)
{
    static const char *const names[] = {"none", "tiny", "small", "normal", "huge"};
    return names[kind];
}
