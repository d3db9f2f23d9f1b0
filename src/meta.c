/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meta.h"

#include "bits.h"
#include "compiler.h"
#include "os.h"

#include <stdatomic.h>
#include <stdint.h>

enum { REGION_BYTES = 2 << 20 };

struct region {
    struct region *previous; /* const once published */
    size_t bytes;
    _Atomic size_t used; /* relaxed: hands out offsets, publishes nothing */
};

static _Atomic(struct region *) newest_region;

static struct region *region_create(size_t bytes)
{
    struct region *region = os_map(bytes, os_page_bytes(), NULL, "poolmalloc metadata");
    if (region != NULL) {
        region->bytes = bytes;
        atomic_init(&region->used, sizeof(*region));
    }
    return region;
}

static void *region_take(struct region *region, size_t bytes, size_t alignment)
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
        struct region *region = atomic_load_explicit(&newest_region, memory_order_acquire);
        void *taken = region == NULL ? NULL : region_take(region, bytes, alignment);
        if (likely(taken != NULL)) {
            return taken;
        }
        size_t wanted_bytes = align_up(sizeof(*region), alignment) + bytes;
        struct region *fresh =
            region_create(wanted_bytes < REGION_BYTES ? REGION_BYTES : wanted_bytes);
        if (fresh == NULL) {
            return NULL;
        }
        fresh->previous = region;
        size_t fresh_bytes = fresh->bytes;
        if (!atomic_compare_exchange_strong_explicit(&newest_region, &region, fresh,
                                                     memory_order_release, memory_order_relaxed)) {
            os_unmap(fresh, fresh_bytes);
        }
    }
}

struct meta_totals meta_totals(void)
{
    struct meta_totals totals = {0};
    struct region *region = atomic_load_explicit(&newest_region, memory_order_acquire);
    for (; region != NULL; region = region->previous) {
        totals.mapped_bytes += region->bytes;
        totals.used_bytes += atomic_load_explicit(&region->used, memory_order_relaxed);
    }
    return totals;
}
