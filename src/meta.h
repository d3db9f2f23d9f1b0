/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory for the allocator's own structures: never from an arena, never given back, so that a
 * pointer to any of them stays readable for ever (their owners recycle them).
 *
 *     region 2 MiB | head | descriptor | magazine | thread cache | ... | not yet used
 *
 * Lock-free: a region's cursor only moves up, a full region is replaced. A fork in the middle
 * loses at most what was being taken. */
#ifndef POOLMALLOC_META_H
#define POOLMALLOC_META_H

#include <stdatomic.h>
#include <stddef.h>

/* Zeroed memory. alignment: a power of two up to an OS page. NULL: out of memory. */
void *meta_alloc(size_t bytes, size_t alignment);

struct meta_region {
    struct meta_region *previous; /* const once published */
    size_t bytes;
    _Atomic size_t used; /* relaxed: hands out offsets, publishes nothing */
};
extern _Atomic(struct meta_region *) meta_newest; /* release pairs with acquire */

struct meta_totals {
    size_t mapped_bytes;
    size_t used_bytes; /* taken so far; what was never touched of it is not resident */
};
struct meta_totals meta_totals(void);

#endif
