/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meta.h"

#include "bits.h"
#include "compiler.h"
#include "os.h"

#include <stdatomic.h>
#include <stdint.h>

enum { REGION_BYTES = 2 << 20 };

_Atomic(struct meta_region *) meta_newest;

static struct meta_region *region_create(size_t bytes)
{
    struct meta_region *region = os_map(bytes, os_page_bytes(), NULL, "poolmalloc metadata");
    if (region != NULL) {
        os_refuse_huge_pages(region, bytes);
        region->bytes = bytes;
        atomic_init(&region->used, sizeof(*region));
    }
    return region;
}

static void *region_take(struct meta_region *region, size_t bytes, size_t alignment)
{
    size_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    for (;;) {
        size_t start = align_up(used, alignment);
        if (start + bytes > region->bytes) {
            return NULL;
        }
        if (atomic_compare_exchange_weak_explicit(&region->used, &used, start + bytes,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return (char *)region + start;
        }
    }
}

void *meta_alloc(size_t bytes, size_t alignment)
{
    for (;;) {
        /* acquire: pairs with the release below, for the region's fields */
        struct meta_region *region = atomic_load_explicit(&meta_newest, memory_order_acquire);
        void *taken = region == NULL ? NULL : region_take(region, bytes, alignment);
        if (likely(taken != NULL)) {
            return taken;
        }
        size_t wanted_bytes = align_up(sizeof(*region), alignment) + bytes;
        struct meta_region *fresh =
            region_create(wanted_bytes < REGION_BYTES ? REGION_BYTES : wanted_bytes);
        if (fresh == NULL) {
            return NULL;
        }
        fresh->previous = region;
        size_t fresh_bytes = fresh->bytes;
        if (!atomic_compare_exchange_strong_explicit(&meta_newest, &region, fresh,
                                                     memory_order_release, memory_order_relaxed)) {
            os_unmap(fresh, fresh_bytes);
        }
    }
}

struct meta_totals meta_totals(void)
{
    struct meta_totals totals = {0};
    struct meta_region *region = atomic_load_explicit(&meta_newest, memory_order_acquire);
    for (; region != NULL; region = region->previous) {
        totals.mapped_bytes += region->bytes;
        totals.used_bytes += atomic_load_explicit(&region->used, memory_order_relaxed);
    }
    return totals;
}
