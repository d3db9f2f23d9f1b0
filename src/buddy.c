/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "buddy.h"

/* Sets a whole subtree to one state. Children are non-zero only where the state was put together
 * from smaller runs; mostly the first test ends it. */
static void set_subtree(uint8_t *tree, unsigned node, uint8_t value)
{
    if (node < CHUNK_PAGES && (tree[2 * node] | tree[2 * node + 1]) != 0) {
        set_subtree(tree, 2 * node, 0);
        set_subtree(tree, 2 * node + 1, 0);
    }
    tree[node] = value;
}

static inline uint8_t byte_of_children(const uint8_t *tree, unsigned node)
{
    uint8_t left = tree[2 * node];
    uint8_t right = tree[2 * node + 1];
    uint8_t smaller = left < right ? left : right;
    return (left | right) == 0 ? 0 : (uint8_t)(smaller + 1);
}

static void update_ancestors(uint8_t *tree, unsigned node)
{
    while ((node /= 2) >= BUDDY_ROOT) {
        tree[node] = byte_of_children(tree, node);
    }
}

/* A wholly used node keeps zero children; before one of them changes, both get their own byte. */
static inline void push_down_used(uint8_t *tree, unsigned node, unsigned order)
{
    if (tree[node] == order + 1 && (tree[2 * node] | tree[2 * node + 1]) == 0) {
        tree[2 * node] = (uint8_t)order;
        tree[2 * node + 1] = (uint8_t)order;
    }
}

struct page_range {
    unsigned first;
    unsigned end;
    bool used;
};

/* node covers 2^order pages from node_first on. */
static void mark(uint8_t *tree, unsigned node, unsigned order, struct page_range range)
{
    unsigned node_first = (node << order) - CHUNK_PAGES;
    unsigned node_end = node_first + (1U << order);
    if (range.first <= node_first && node_end <= range.end) {
        set_subtree(tree, node, range.used ? (uint8_t)(order + 1) : 0);
        return;
    }
    push_down_used(tree, node, order);
    unsigned middle = node_first + (1U << order) / 2;
    if (range.first < middle) {
        mark(tree, 2 * node, order - 1, range);
    }
    if (middle < range.end) {
        mark(tree, 2 * node + 1, order - 1, range);
    }
    tree[node] = byte_of_children(tree, node);
}

unsigned buddy_alloc(uint8_t *tree, unsigned pages, unsigned order)
{
    if (!buddy_has_order(tree, order)) {
        return BUDDY_NO_PAGE;
    }
    unsigned node = BUDDY_ROOT;
    for (unsigned node_order = CHUNK_ORDER; node_order > order; node_order--) {
        unsigned fits = node_order - 1 - order; /* the largest byte of a child that fits */
        uint8_t left = tree[2 * node];
        uint8_t right = tree[2 * node + 1];
        bool go_right = left > fits || (right <= fits && right > left);
        node = 2 * node + go_right;
    }
    unsigned first = (node << order) - CHUNK_PAGES;
    if (pages == 1U << order) {
        tree[node] = (uint8_t)(order + 1);
    } else {
        mark(tree, node, order, (struct page_range){first, first + pages, true});
    }
    update_ancestors(tree, node);
    return first;
}

void buddy_mark_used(uint8_t *tree, unsigned first, unsigned end)
{
    mark(tree, BUDDY_ROOT, CHUNK_ORDER, (struct page_range){first, end, true});
}

void buddy_mark_free(uint8_t *tree, unsigned first, unsigned end)
{
    mark(tree, BUDDY_ROOT, CHUNK_ORDER, (struct page_range){first, end, false});
}

bool buddy_is_valid(const uint8_t *tree)
{
    for (unsigned node = BUDDY_ROOT; node < CHUNK_PAGES; node++) {
        unsigned order = CHUNK_ORDER - log2_floor(node);
        bool whole = (tree[2 * node] | tree[2 * node + 1]) == 0;
        bool valid = whole ? tree[node] == 0 || tree[node] == order + 1
                           : tree[node] == byte_of_children(tree, node);
        if (!valid) {
            return false;
        }
    }
    for (unsigned leaf = CHUNK_PAGES; leaf < BUDDY_NODES; leaf++) {
        if (tree[leaf] > 1) {
            return false;
        }
    }
    return true;
}
