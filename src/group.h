/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Explicit arenas (pm_arena), called groups inside, where an arena is something else.
 *
 *     slab 64 KiB   | link | head, block | head, block | head, block |     not cut yet    |
 *                                                                     cut               slab end
 *     large         | links, head | block |     one allocation each, above 8 KiB
 *     free[class]   -> head -> head            freed blocks, linked in their heads
 *
 * Invariants
 *  1. A head lies directly before its block and says of which arena and class it is, and whether
 *     it is live; the link of a free block is in the head, not in the block.
 *  2. Blocks of slabs have the exact size of their class, so a freed one serves any of the class.
 *
 * Sizes are the classes of the allocator. No locks: an arena is used by one thread at a time. */
#ifndef POOLMALLOC_GROUP_H
#define POOLMALLOC_GROUP_H

#include "size_class.h"

#define MISUSE_ARENA_BLOCK "free of a block that is not live in this arena"

enum {
    GROUP_SLAB_BYTES = 64 * 1024,
    GROUP_SLAB_MAX_BYTES = 8 * 1024, /* larger blocks are large */
    GROUP_CLASSES = CLASS_SMALL_LAST + 1,
};

#endif
