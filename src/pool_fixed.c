/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool of a fixed count of blocks: preallocated, no growth, get and put without locks.
 *
 *     blocks  | block 0 | block 1 | ... |     touched once at creation
 *     links     [next of 0] [next of 1]       not inside the blocks: a stray write cannot reach it
 *     first     index of the first free block + 1 << 32 | changes so far
 *
 * Invariants
 *  1. links[i] is LINK_OUT while block i is out; a put that does not find it so is a misuse.
 *  2. `first` counts its changes, so that a stale compare-and-swap fails (ABA).
 *
 * Cost: one compare-and-swap each for get and put; another round only when another thread made
 * progress. Source: Treiber 1986, the stack by compare-and-swap. */
#include "pool.h"

#include "bits.h"
#include "misuse.h"

#include <errno.h>
#include <string.h>

enum { BLOCK_ALIGNMENT = 16 };

#define MAX_BLOCKS ((size_t)1 << 31)
#define LINK_OUT UINT32_MAX

struct pool_fixed {
    char *blocks;
    size_t stride; /* bytes from block to block, a multiple of the alignment */
    uint32_t count;
    CACHE_ALIGNED _Atomic uint64_t first;
    CACHE_ALIGNED _Atomic uint64_t gets; /* relaxed, as all counters here */
    _Atomic uint64_t misses;
    _Atomic uint64_t puts;
    _Atomic uint64_t drops;
    _Atomic uint32_t links[]; /* index + 1 of the next free block, 0: none; or LINK_OUT */
};

static uint64_t with_change(uint64_t first, uint32_t link)
{
    return (uint64_t)link << 32 | (uint32_t)(first + 1);
}

static uint64_t bump(_Atomic uint64_t *counter)
{
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static struct pool_fixed *create(size_t stride, size_t alignment, size_t count)
{
    size_t links_bytes = count * sizeof(uint32_t);
    struct pool_fixed *fixed = pm_aligned_alloc(
        _Alignof(struct pool_fixed),
        align_up(sizeof(struct pool_fixed) + links_bytes, _Alignof(struct pool_fixed)));
    char *blocks = pm_aligned_alloc(alignment, stride * count);
    if (fixed == NULL || blocks == NULL) {
        pm_free(fixed);
        pm_free(blocks);
        return NULL;
    }
    memset(fixed, 0, sizeof(*fixed));
    memset(blocks, 0, stride * count);
    fixed->blocks = blocks;
    fixed->stride = stride;
    fixed->count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        atomic_init(&fixed->links[i], i + 1 < count ? i + 2 : 0);
    }
    atomic_init(&fixed->first, with_change(0, 1));
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

void *fixed_get(struct pool_fixed *fixed)
{
    bump(&fixed->gets);
    /* acquire: pairs with the release in fixed_put, so the link and the block are seen */
    uint64_t first = atomic_load_explicit(&fixed->first, memory_order_acquire);
    uint32_t index;
    do {
        if (first >> 32 == 0) {
            bump(&fixed->misses);
            errno = EAGAIN;
            return NULL;
        }
        index = (uint32_t)(first >> 32) - 1;
        /* A stale link is thrown away with the failing swap, invariant 2. */
    } while (!atomic_compare_exchange_weak_explicit(
        &fixed->first, &first,
        with_change(first, atomic_load_explicit(&fixed->links[index], memory_order_relaxed)),
        memory_order_acquire, memory_order_acquire));
    atomic_store_explicit(&fixed->links[index], LINK_OUT, memory_order_relaxed);
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

void fixed_put(struct pool_fixed *fixed, void *block)
{
    bump(&fixed->puts);
    uint32_t index = index_of_put(fixed, block);
    if (index == fixed->count) {
        bump(&fixed->drops);
        return;
    }
    uint64_t first = atomic_load_explicit(&fixed->first, memory_order_relaxed);
    do {
        atomic_store_explicit(&fixed->links[index], (uint32_t)(first >> 32), memory_order_relaxed);
        /* release: pairs with the acquire in fixed_get */
    } while (!atomic_compare_exchange_weak_explicit(&fixed->first, &first,
                                                    with_change(first, index + 1),
                                                    memory_order_release, memory_order_relaxed));
}

void fixed_destroy(struct pool_fixed *fixed)
{
    pm_free(fixed->blocks);
    pm_free(fixed);
}

pm_pool_stats fixed_stats(const struct pool_fixed *fixed)
{
    pm_pool_stats stats = {
        .gets = atomic_load_explicit(&fixed->gets, memory_order_relaxed),
        .misses = atomic_load_explicit(&fixed->misses, memory_order_relaxed),
        .puts = atomic_load_explicit(&fixed->puts, memory_order_relaxed),
        .drops = atomic_load_explicit(&fixed->drops, memory_order_relaxed),
    };
    stats.hits = minus(stats.gets, stats.misses);
    stats.retained_objects = minus(fixed->count + stats.puts, stats.drops + stats.hits);
    stats.retained_bytes = stats.retained_objects * fixed->stride;
    return stats;
}
