/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The buddy tree over a chunk's 2048 pages: where its free runs are.
 *
 *     order 11                 1                     one byte per node, heap order:
 *     order 10         2               3             node n has the children 2n, 2n + 1;
 *     ...            4   5           6   7           leaf 32 + i is word i of the bitmap
 *     order  6   32  33  34  ...         63
 *     below      64 bits each: 1 = page in use       found in the word when they are asked for
 *
 * A byte says how much smaller than its node the largest free aligned run under it is:
 * 0: all free; b <= order: a run of order (order - b); order + 1: nothing free.
 * So a zero-filled tree is a free chunk. The bitmap is the truth, the tree sums it up.
 *
 * Invariants (buddy_is_valid):
 *  1. A leaf is what its word says.
 *  2. A node with a non-zero child is 1 + the smaller byte of its children, else 0.
 *
 * No locks: the owner of the tree has its own. Cost: a path of 5 nodes and a word.
 * Source: Knowlton 1965; Robson 1974 for the bounds; bytes per node as in Netty 4.0's PoolChunk.
 */
#ifndef POOLMALLOC_BUDDY_H
#define POOLMALLOC_BUDDY_H

#include "bitmap.h"
#include "size_class.h"

enum {
    BUDDY_LEAF_ORDER = 6,
    BUDDY_LEAVES = CHUNK_PAGES >> BUDDY_LEAF_ORDER,
    BUDDY_NODES = 2 * BUDDY_LEAVES,
    BUDDY_ROOT = 1,
    BUDDY_NO_PAGE = CHUNK_PAGES,
};

/* The first page of a free run of 2^order pages, aligned so. Goes down to the child whose largest
 * run fits tighter, the left one if both do alike, and takes in a word the smallest free run that
 * will do, lowest address first. BUDDY_NO_PAGE: there is none. */
unsigned buddy_find(const uint8_t *tree, const uint64_t *in_use, unsigned order);

/* To be called after bits [first, end) of in_use have changed. */
void buddy_update(uint8_t *tree, const uint64_t *in_use, unsigned first, unsigned end);

/* 1 + the order of the largest free run; 0: there is none. */
static inline unsigned buddy_orders(const uint8_t *tree)
{
    return CHUNK_ORDER + 1 - tree[BUDDY_ROOT];
}

bool buddy_is_valid(const uint8_t *tree, const uint64_t *in_use);

#endif
