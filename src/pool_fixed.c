/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool of a fixed count of blocks: preallocated, no growth, get and put without locks.
 *
 *     blocks  | block 0 | block 1 | ... |     touched once at creation
 *     links     [next of 0] [next of 1]       not inside the blocks: a stray write cannot reach it
 *     shards    first: index of a free block + 1 << 32 | changes so far
 *
 * A thread puts on the stack of its shard, and gets from it before it asks the others, so that
 * threads seldom meet; which shard a block is in means nothing else.
 *
 * Invariants
 *  1. links[i] is LINK_OUT while block i is out; a put that does not find it so is a misuse.
 *  2. `first` counts its changes, so that a stale compare-and-swap fails (ABA).
 *  3. A get fails only if at one moment no shard had a block: all were seen empty twice, unchanged.
 *
 * Cost: one compare-and-swap for get and two for put; another round only when another thread made
 * progress. Gets are counted where the block's holder alone writes, and added up for statistics.
 * Source: Treiber 1986, the stack by compare-and-swap; Afek et al. 1993, the double collect. */
#include "pool.h"

#include "bits.h"
#include "misuse.h"

#include <errno.h>
#include <string.h>

#ifndef POOL_FIXED_SHARDS /* fewer where every order of steps is tried */
#define POOL_FIXED_SHARDS 8
#endif

enum {
    BLOCK_ALIGNMENT = 16,
    SHARDS = POOL_FIXED_SHARDS,
    LINE_LINKS = 64 / sizeof(uint32_t),
};

#define MAX_BLOCKS ((size_t)1 << 31)
#define LINK_OUT UINT32_MAX

struct shard {
    CACHE_ALIGNED _Atomic uint64_t first;
};

struct pool_fixed {
    char *blocks;
    size_t stride; /* bytes from block to block, a multiple of the alignment */
    uint32_t count;
    uint64_t *hits;          /* of each block; its holder writes, statistics read without order */
    _Atomic uint64_t misses; /* of the pool; relaxed, as drops */
    _Atomic uint64_t drops;
    struct shard shards[SHARDS];
    _Atomic uint32_t links[]; /* index + 1 of the next free block, 0: none; or LINK_OUT */
};

static uint64_t with_change(uint64_t first, uint32_t link)
{
    return (uint64_t)link << 32 | (uint32_t)(first + 1);
}

static void bump(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void fixed_destroy(struct pool_fixed *fixed)
{
    pm_free(fixed->blocks);
    pm_free(fixed->hits);
    pm_free(fixed);
}

/* Blocks that follow each other in the stack have their links and hits in different cache lines:
 * threads that take one after the other do not share any. */
static void link_all(struct pool_fixed *fixed)
{
    uint32_t next = 0;
    for (uint32_t first = 0; first < LINE_LINKS; first++) {
        for (uint32_t i = first; i < fixed->count; i += LINE_LINKS) {
            atomic_init(&fixed->links[i], next);
            next = i + 1;
        }
    }
    atomic_init(&fixed->shards[0].first, with_change(0, next));
}

static struct pool_fixed *create(size_t stride, size_t alignment, size_t count)
{
    size_t bytes = sizeof(struct pool_fixed) + count * sizeof(uint32_t);
    struct pool_fixed *fixed =
        pm_aligned_alloc(_Alignof(struct pool_fixed), align_up(bytes, _Alignof(struct pool_fixed)));
    if (fixed == NULL) {
        return NULL;
    }
    memset(fixed, 0, sizeof(*fixed));
    fixed->stride = stride;
    fixed->count = (uint32_t)count;
    fixed->hits = pm_calloc(count, sizeof(fixed->hits[0]));
    fixed->blocks = pm_aligned_alloc(alignment, stride * count);
    if (fixed->hits == NULL || fixed->blocks == NULL) {
        fixed_destroy(fixed);
        return NULL;
    }
    memset(fixed->blocks, 0, stride * count);
    link_all(fixed);
    return fixed;
}

PUBLIC pm_pool *pm_pool_create_fixed(size_t block_bytes, size_t alignment, size_t count)
{
    alignment =
        alignment < BLOCK_ALIGNMENT && is_power_of_two(alignment | 1) ? BLOCK_ALIGNMENT : alignment;
    size_t total;
    if (block_bytes == 0 || count == 0 || count > MAX_BLOCKS || !is_power_of_two(alignment) ||
        __builtin_add_overflow(block_bytes, alignment, &total) ||
        __builtin_mul_overflow(align_up(block_bytes, alignment), count, &total)) {
        errno = EINVAL;
        return NULL;
    }
    struct pool_fixed *fixed = create(align_up(block_bytes, alignment), alignment, count);
    struct pm_pool *pool = fixed == NULL ? NULL : pool_register();
    if (pool == NULL) {
        if (fixed != NULL) {
            fixed_destroy(fixed);
        }
        errno = ENOMEM;
        return NULL;
    }
    pool->fixed = fixed;
    return pool;
}

/* The index of a block of this shard, now out; or `count`, and *seen is what the empty shard was.
 */
static uint32_t pop(struct pool_fixed *fixed, _Atomic uint64_t *first, uint64_t *seen)
{
    /* acquire: pairs with the release in push, so the link and the block are seen */
    *seen = atomic_load_explicit(first, memory_order_acquire);
    uint32_t index;
    do {
        if (*seen >> 32 == 0) {
            return fixed->count;
        }
        index = (uint32_t)(*seen >> 32) - 1;
        /* A stale link is thrown away with the failing swap, invariant 2. */
    } while (!atomic_compare_exchange_weak_explicit(
        first, seen,
        with_change(*seen, atomic_load_explicit(&fixed->links[index], memory_order_relaxed)),
        memory_order_acquire, memory_order_acquire));
    atomic_store_explicit(&fixed->links[index], LINK_OUT, memory_order_relaxed);
    return index;
}

static void push(struct pool_fixed *fixed, _Atomic uint64_t *first, uint32_t index)
{
    uint64_t seen = atomic_load_explicit(first, memory_order_relaxed);
    do {
        atomic_store_explicit(&fixed->links[index], (uint32_t)(seen >> 32), memory_order_relaxed);
        /* release: pairs with the acquire in pop */
    } while (!atomic_compare_exchange_weak_explicit(first, &seen, with_change(seen, index + 1),
                                                    memory_order_release, memory_order_relaxed));
}

static bool is_unchanged(struct pool_fixed *fixed, const uint64_t *seen)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        if (atomic_load_explicit(&fixed->shards[i].first, memory_order_acquire) != seen[i]) {
            return false;
        }
    }
    return true;
}

/* The index of a block that is out now, or `count`. */
static uint32_t pop_any(struct pool_fixed *fixed, uint32_t thread)
{
    uint64_t seen[SHARDS];
    do {
        for (unsigned i = 0; i < SHARDS; i++) {
            unsigned shard = (thread + i) % SHARDS;
            uint32_t index = pop(fixed, &fixed->shards[shard].first, &seen[shard]);
            if (index != fixed->count) {
                return index;
            }
        }
    } while (!is_unchanged(fixed, seen));
    return fixed->count;
}

void *fixed_get(struct pool_fixed *fixed, uint32_t thread)
{
    uint32_t index = pop_any(fixed, thread);
    if (index == fixed->count) {
        bump(&fixed->misses);
        errno = EAGAIN;
        return NULL;
    }
    fixed->hits[index]++;
    return fixed->blocks + index * fixed->stride;
}

/* The index of a block that is out, or `count` after saying what is wrong. */
static uint32_t index_of_put(struct pool_fixed *fixed, void *block)
{
    size_t offset = (size_t)((char *)block - fixed->blocks);
    if (offset % fixed->stride != 0 || offset / fixed->stride >= fixed->count) {
        misuse(MISUSE_FOREIGN_BLOCK, block);
        return fixed->count;
    }
    uint32_t index = (uint32_t)(offset / fixed->stride);
    uint32_t link = LINK_OUT;
    /* relaxed: of two putters of one block, one sees LINK_OUT */
    if (!atomic_compare_exchange_strong_explicit(&fixed->links[index], &link, 0,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        misuse(MISUSE_DOUBLE_PUT, block);
        return fixed->count;
    }
    return index;
}

void fixed_put(struct pool_fixed *fixed, uint32_t thread, void *block)
{
    uint32_t index = index_of_put(fixed, block);
    if (index == fixed->count) {
        bump(&fixed->drops);
    } else {
        push(fixed, &fixed->shards[thread % SHARDS].first, index);
    }
}

NO_SANITIZE_THREAD pm_pool_stats fixed_stats(const struct pool_fixed *fixed)
{
    pm_pool_stats stats = {
        .misses = atomic_load_explicit(&fixed->misses, memory_order_relaxed),
        .drops = atomic_load_explicit(&fixed->drops, memory_order_relaxed),
    };
    uint64_t out = 0;
    for (uint32_t i = 0; i < fixed->count; i++) {
        out += atomic_load_explicit(&fixed->links[i], memory_order_relaxed) == LINK_OUT;
        stats.hits += fixed->hits[i];
    }
    stats.gets = stats.hits + stats.misses;
    stats.puts = minus(stats.hits, out) + stats.drops;
    stats.retained_objects = fixed->count - out;
    stats.retained_bytes = stats.retained_objects * fixed->stride;
    return stats;
}
