/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte blocks in tiers of doubling size, one object pool each.
 *
 *     bytes wanted   1 .. 512   513 .. 1024   1025 .. 2048   above the last
 *     tier           512        1024          2048           none: pm_malloc, pm_free
 *
 * A tier's blocks come from pm_malloc, so a block tells its own size: put needs none. */
#include "tiers.h"

#include "bits.h"
#include "compiler.h"
#include "misuse.h"
#include "panic.h"

#include <errno.h>
#include <stdatomic.h>

enum { MAX_TIERS = 48, MIN_TIER_BYTES = 16 };

struct pm_tiers {
    unsigned min_log2;
    unsigned count;                  /* 0: destroyed */
    _Atomic uint64_t oversized_gets; /* relaxed, as all counters here */
    _Atomic uint64_t unfitting_puts; /* blocks that no tier keeps */
    pm_pool *pools[MAX_TIERS];
};

static void check_life(const struct pm_tiers *tiers)
{
    if (unlikely(tiers->count == 0)) {
        panic_at(FATAL_TIERS_DESTROYED, tiers, 0, NULL);
    }
}

static void destroy_pools(struct pm_tiers *tiers)
{
    while (tiers->count > 0) {
        pm_pool_destroy(tiers->pools[--tiers->count]);
    }
}

static void *leave_dirty(void *memory, void *context)
{
    (void)context;
    return memory;
}

PUBLIC pm_tiers *pm_tiers_create(size_t min_bytes, size_t max_bytes)
{
    if (!is_power_of_two(min_bytes) || !is_power_of_two(max_bytes) || min_bytes > max_bytes ||
        min_bytes < MIN_TIER_BYTES || max_bytes > PTRDIFF_MAX / 2) {
        errno = EINVAL;
        return NULL;
    }
    struct pm_tiers *tiers = pm_calloc(1, sizeof(*tiers));
    if (tiers == NULL) {
        return NULL;
    }
    tiers->min_log2 = log2_floor(min_bytes);
    unsigned count = log2_floor(max_bytes) - tiers->min_log2 + 1;
    while (tiers->count < count && tiers->count < MAX_TIERS) {
        pm_pool_options options = {.object_bytes = min_bytes << tiers->count,
                                   .construct = leave_dirty};
        pm_pool *pool = pm_pool_create(&options);
        if (pool == NULL) {
            destroy_pools(tiers);
            pm_free(tiers);
            errno = ENOMEM;
            return NULL;
        }
        tiers->pools[tiers->count++] = pool;
    }
    return tiers;
}

size_t tiers_round_up(const struct pm_tiers *tiers, size_t bytes)
{
    unsigned log2 = log2_ceil(bytes);
    if (log2 < tiers->min_log2) {
        return (size_t)1 << tiers->min_log2;
    }
    return log2 - tiers->min_log2 < tiers->count ? (size_t)1 << log2 : bytes;
}

PUBLIC void *pm_tiers_get(pm_tiers *tiers, size_t bytes)
{
    unsigned log2 = log2_ceil(bytes);
    unsigned tier = log2 <= tiers->min_log2 ? 0 : log2 - tiers->min_log2;
    if (tier < tiers->count) {
        return pm_pool_get(tiers->pools[tier]);
    }
    check_life(tiers);
    atomic_fetch_add_explicit(&tiers->oversized_gets, 1, memory_order_relaxed);
    return pm_malloc(bytes);
}

void tiers_put_sized(struct pm_tiers *tiers, void *block, size_t bytes)
{
    check_life(tiers);
    size_t min_bytes = (size_t)1 << tiers->min_log2;
    size_t max_bytes = min_bytes << (tiers->count - 1);
    /* A quarter above the last tier: what the allocator may have rounded up. */
    if (bytes >= min_bytes && bytes <= max_bytes + max_bytes / 4) {
        pm_pool_put(tiers->pools[log2_floor(bytes) - tiers->min_log2], block);
    } else {
        atomic_fetch_add_explicit(&tiers->unfitting_puts, 1, memory_order_relaxed);
        pm_free(block);
    }
}

PUBLIC void pm_tiers_put(pm_tiers *tiers, void *block)
{
    if (block != NULL) {
        tiers_put_sized(tiers, block, pm_usable_size(block));
    }
}

static void add(pm_pool_stats *total, const pm_pool_stats *part)
{
    total->gets += part->gets;
    total->hits += part->hits;
    total->misses += part->misses;
    total->steals += part->steals;
    total->rescues += part->rescues;
    total->puts += part->puts;
    total->drops += part->drops;
    total->aged += part->aged;
    total->retained_objects += part->retained_objects;
    total->retained_bytes += part->retained_bytes;
}

PUBLIC pm_pool_stats pm_tiers_get_stats(const pm_tiers *tiers)
{
    check_life(tiers);
    uint64_t oversized = atomic_load_explicit(&tiers->oversized_gets, memory_order_relaxed);
    uint64_t unfitting = atomic_load_explicit(&tiers->unfitting_puts, memory_order_relaxed);
    pm_pool_stats total = {
        .gets = oversized, .misses = oversized, .puts = unfitting, .drops = unfitting};
    for (unsigned i = 0; i < tiers->count; i++) {
        pm_pool_stats part = pm_pool_get_stats(tiers->pools[i]);
        add(&total, &part);
    }
    return total;
}

PUBLIC void pm_tiers_destroy(pm_tiers *tiers)
{
    if (tiers == NULL) {
        return;
    }
    check_life(tiers);
    destroy_pools(tiers);
    free_destroyed(tiers);
}
