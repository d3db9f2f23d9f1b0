/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout.h"

#include "budget.h"

#include <assert.h>

static_assert(sizeof((uint32_t[])LAYOUT_SHAPE) == LAYOUT_SHAPE_COUNT * sizeof(uint32_t),
              "every place of the shape is filled");

struct layout_peak layout_peak;
struct layout_requests layout_requests;

/* Readers copy whole words, so the atomic variables are plain ones to them. */
PUBLIC const struct layout poolmalloc_layout = {
    .magic = LAYOUT_MAGIC,
    .version = LAYOUT_VERSION,
    .bytes = sizeof(struct layout),
    .shape = LAYOUT_SHAPE,
    .arenas = &arenas,
    .tcache_newest = (struct tcache *const *)&tcache_newest,
    .meta_newest = (struct meta_region *const *)&meta_newest,
    .page_map_leaves = (struct page_map_leaf *const *)&page_map_leaves,
    .huge_blocks = &huge_blocks,
    .budget = &budget,
    .config = &config,
    .peak = &layout_peak,
    .requests = &layout_requests,
};
