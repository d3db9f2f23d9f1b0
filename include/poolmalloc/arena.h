/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Explicit arenas: groups of allocations that are dropped at once, or measured apart.
 *
 * An arena takes 64 KiB at a time from the allocator and cuts blocks off it, so dropping it costs
 * one free for each 64 KiB, not for each block. Threads: one at a time for one arena, where not
 * said otherwise; a program that shares one locks around it.
 */
#ifndef PM_ARENA_H
#define PM_ARENA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pm_arena pm_arena;

typedef struct pm_arena_stats {
    uint64_t live_blocks;
    uint64_t live_bytes; /* asked for, in live blocks */
    uint64_t peak_bytes; /* largest live_bytes since creation or reset */
    uint64_t held_bytes; /* taken from the allocator */
    uint64_t allocs;     /* since creation */
} pm_arena_stats;

/* Creates an empty arena.
 * Returns it or NULL.
 * Errors: ENOMEM in errno.
 * Threads: any.
 * Source: region allocators; Hanson 1990, "Fast allocation and deallocation of memory based on
 * object lifetimes". */
pm_arena *pm_arena_create(void);

/* Allocates `bytes` bytes, aligned to 16, contents undefined.
 * bytes: 0 to PTRDIFF_MAX; 0 gives the smallest block.
 * Returns the block or NULL. It lives until pm_arena_free, reset or destroy.
 * Errors: ENOMEM in errno. */
void *pm_arena_malloc(pm_arena *arena, size_t bytes);

/* Gives one block back early; a later pm_arena_malloc of a like size reuses it.
 * block: from this arena and live, or NULL (nothing happens).
 * Errors: a pointer that is no live block of this arena, whatever it is, is a misuse (see
 * pm_set_checking in poolmalloc/pool.h), ignored otherwise. */
void pm_arena_free(pm_arena *arena, void *block);

/* Drops all blocks; the arena stays, with at most 64 KiB held. */
void pm_arena_reset(pm_arena *arena);

/* Drops all blocks and the arena. NULL: nothing happens. Using it later ends the process, until
 * some more arenas or pools have been destroyed. */
void pm_arena_destroy(pm_arena *arena);

pm_arena_stats pm_arena_get_stats(const pm_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
