/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "buddy.h"

/* Bits 0, 2^order, 2 * 2^order ..: where runs of that order may start in a word. */
static const uint64_t starts_of_order[BUDDY_LEAF_ORDER + 1] = {
    UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
    UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
    UINT64_C(0x0000000000000001),
};

/* From where the free runs of an order start to where those of the next order do. */
static uint64_t pair_up(uint64_t starts, unsigned order)
{
    return starts & starts >> (1U << order) & starts_of_order[order + 1];
}

static uint8_t byte_of_word(uint64_t word)
{
    uint64_t starts = ~word;
    unsigned order = 0;
    if (starts == 0) {
        return BUDDY_LEAF_ORDER + 1;
    }
    for (uint64_t next; order < BUDDY_LEAF_ORDER && (next = pair_up(starts, order)) != 0; order++) {
        starts = next;
    }
    return (uint8_t)(BUDDY_LEAF_ORDER - order);
}

/* A run of that order, which is there, from the smallest free run that contains one. */
static unsigned find_in_word(uint64_t word, unsigned order)
{
    uint64_t starts = ~word;
    for (unsigned i = 0; i < order; i++) {
        starts = pair_up(starts, i);
    }
    for (;; order++) {
        uint64_t paired = order < BUDDY_LEAF_ORDER ? pair_up(starts, order) : 0;
        uint64_t single = starts & ~(paired | paired << (1U << order % BUDDY_LEAF_ORDER));
        if (single != 0) {
            return lowest_set_bit(single);
        }
        starts = paired;
    }
}

static uint8_t byte_of_children(const uint8_t *tree, unsigned node)
{
    uint8_t left = tree[2 * node];
    uint8_t right = tree[2 * node + 1];
    uint8_t smaller = left < right ? left : right;
    return (left | right) == 0 ? 0 : (uint8_t)(smaller + 1);
}

unsigned buddy_find(const uint8_t *tree, const uint64_t *in_use, unsigned order)
{
    if (tree[BUDDY_ROOT] + order > CHUNK_ORDER) {
        return BUDDY_NO_PAGE;
    }
    unsigned node = BUDDY_ROOT;
    unsigned node_order = CHUNK_ORDER;
    while (node_order > order && node < BUDDY_LEAVES) {
        node_order--;
        unsigned fits = node_order - order; /* the largest byte of a child that fits */
        uint8_t left = tree[2 * node];
        uint8_t right = tree[2 * node + 1];
        bool go_right = left > fits || (right <= fits && right > left);
        node = 2 * node + go_right;
    }
    unsigned first = (node << node_order) - CHUNK_PAGES;
    return node_order <= order ? first
                               : first + find_in_word(in_use[first / BITMAP_WORD_BITS], order);
}

void buddy_update(uint8_t *tree, const uint64_t *in_use, unsigned first, unsigned end)
{
    unsigned low = first >> BUDDY_LEAF_ORDER;
    unsigned high = (end - 1) >> BUDDY_LEAF_ORDER;
    for (unsigned i = low; i <= high; i++) {
        tree[BUDDY_LEAVES + i] = byte_of_word(in_use[i]);
    }
    low += BUDDY_LEAVES;
    high += BUDDY_LEAVES;
    while ((low /= 2) >= BUDDY_ROOT) {
        high /= 2;
        for (unsigned node = low; node <= high; node++) {
            tree[node] = byte_of_children(tree, node);
        }
    }
}

bool buddy_is_valid(const uint8_t *tree, const uint64_t *in_use)
{
    for (unsigned i = 0; i < BUDDY_LEAVES; i++) {
        if (tree[BUDDY_LEAVES + i] != byte_of_word(in_use[i])) {
            return false;
        }
    }
    for (unsigned node = BUDDY_ROOT; node < BUDDY_LEAVES; node++) {
        if (tree[node] != byte_of_children(tree, node)) {
            return false;
        }
    }
    return true;
}
