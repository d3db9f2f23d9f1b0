/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The buddy tree over a chunk's 2048 pages: which runs are free.
 *
 *     order 11                    1                      one byte per node, heap order:
 *     order 10          2                   3            node n has the children 2n, 2n + 1;
 *     ...             4   5               6   7          leaf 2048 + i is page i
 *     order  0  2048 2049 2050 ...             4095
 *
 * A byte says how much smaller than its node the largest free aligned run under it is:
 * 0: all free; b <= order: a run of order (order - b); order + 1: nothing free.
 * So a zero-filled tree is a free chunk.
 *
 * Invariants (buddy_is_valid):
 *  1. A node with a non-zero child is 1 + the smaller byte of its children.
 *  2. A node whose children are both zero is 0 or order + 1: under a wholly free or a wholly used
 *     node nothing is kept.
 *
 * A run need not be a power of two: it takes exactly its pages, the aligned pieces of the range.
 * No locks: the owner of the tree has its own. Cost: one path of 11 nodes down and up.
 * Source: Knowlton 1965; Robson 1974 for the bounds; bytes per node as in Netty 4.0's PoolChunk.
 */
#ifndef POOLMALLOC_BUDDY_H
#define POOLMALLOC_BUDDY_H

#include <stdbool.h>
#include <stdint.h>

#include "size_class.h"

enum { BUDDY_NODES = 2 * CHUNK_PAGES, BUDDY_ROOT = 1, BUDDY_NO_PAGE = CHUNK_PAGES };

/* Takes `pages` pages that begin at a multiple of 2^order pages; 2^order >= pages >= 1.
 * The tightest fitting subtree is chosen, lowest address first.
 * Returns the first page, or BUDDY_NO_PAGE. */
unsigned buddy_alloc(uint8_t *tree, unsigned pages, unsigned order);

static inline bool buddy_has_order(const uint8_t *tree, unsigned order)
{
    return tree[BUDDY_ROOT] + order <= CHUNK_ORDER;
}

/* Marks pages [first, end), all of them free / all of them used before. */
void buddy_mark_used(uint8_t *tree, unsigned first, unsigned end);
void buddy_mark_free(uint8_t *tree, unsigned first, unsigned end);

bool buddy_is_valid(const uint8_t *tree);

#endif
