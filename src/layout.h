/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a reader finds everything: one exported object whose address the dynamic symbol table of
 * the library gives, so that a process can be looked into from outside while it runs.
 *
 *     poolmalloc_layout | magic, version | shape: sizes, offsets | addresses of the roots
 *                           arenas -> struct arena -> chunks, bins, depots
 *                           tcache_newest -> struct tcache -> ...
 *
 * A reader is compiled from the same headers; it may follow the roots when layout_fits says that
 * the other side was compiled with the same shape. Const after the dynamic linker is done. */
#ifndef POOLMALLOC_LAYOUT_H
#define POOLMALLOC_LAYOUT_H

#include "chunk.h"
#include "config.h"
#include "huge.h"
#include "meta.h"
#include "page_map.h"
#include "tcache.h"

#include <string.h>

#define LAYOUT_MAGIC "poolmalloc layout"
#define LAYOUT_SYMBOL "poolmalloc_layout"

/* Changes whenever the meaning of a field changes without its place. */
enum { LAYOUT_VERSION = 2, LAYOUT_MAGIC_BYTES = 24, LAYOUT_SHAPE_COUNT = 32 };

/* What two sides must agree on. */
#define LAYOUT_SHAPE                                                                               \
    {                                                                                              \
        sizeof(struct arena_table), sizeof(struct arena), offsetof(struct arena, all_chunks),      \
            offsetof(struct arena, run_count), offsetof(struct arena, bins),                       \
            offsetof(struct arena, depots), sizeof(struct bin), offsetof(struct bin, free_slots),  \
            sizeof(struct depot), offsetof(struct depot, slot_count), sizeof(struct chunk),        \
            offsetof(struct chunk, all_link), offsetof(struct chunk, base),                        \
            offsetof(struct chunk, in_use), offsetof(struct chunk, dirty),                         \
            offsetof(struct chunk, usage_list), offsetof(struct chunk, pages),                     \
            sizeof(struct page), sizeof(struct tcache), offsetof(struct tcache, loaded),           \
            offsetof(struct tcache, counts), offsetof(struct tcache, next),                        \
            sizeof(struct tcache_counts), offsetof(struct magazine, slots), sizeof(struct huge),   \
            sizeof(struct huge_blocks), sizeof(struct page_map_leaf), sizeof(struct meta_region),  \
            sizeof(struct config), CLASS_COUNT, CHUNK_BYTES, PAGE_BYTES                            \
    }

/* The largest that memory in use has been, as far as ticks and reports saw it. */
struct layout_peak {
    uint64_t active_bytes;
    uint64_t allocated_bytes; /* at that moment */
};

/* What another process may ask for by writing here; ticks look at it. */
struct layout_requests {
    _Atomic uint32_t trims_wanted; /* relaxed: a tick later is as good */
    _Atomic uint32_t trims_done;   /* what trims_wanted was when the last trim ended */
};

struct layout {
    char magic[LAYOUT_MAGIC_BYTES];
    uint32_t version;
    uint32_t bytes; /* of this struct */
    uint32_t shape[LAYOUT_SHAPE_COUNT];
    const struct arena_table *arenas;
    struct tcache *const *tcache_newest;
    struct meta_region *const *meta_newest;
    struct page_map_leaf *const *page_map_leaves; /* LEAF_COUNT of them */
    const struct huge_blocks *huge_blocks;
    const struct budget *budget;
    const struct config *config;
    const struct layout_peak *peak;
    struct layout_requests *requests;
};

extern const struct layout poolmalloc_layout;
extern struct layout_requests layout_requests;
extern struct layout_peak layout_peak; /* relaxed in spirit: written by one reporter at a time */

/* May a reader compiled from these headers follow the roots of this layout? */
static inline bool layout_fits(const struct layout *layout)
{
    static const uint32_t shape[LAYOUT_SHAPE_COUNT] = LAYOUT_SHAPE;
    return memcmp(layout->magic, LAYOUT_MAGIC, sizeof(LAYOUT_MAGIC)) == 0 &&
           layout->version == LAYOUT_VERSION && layout->bytes == sizeof(*layout) &&
           memcmp(layout->shape, shape, sizeof(shape)) == 0;
}

#endif
