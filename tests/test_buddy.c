/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buddy.h, invariants 1 and 2 after every step, and against a plain array of used pages: every node
 * tells the largest free aligned run under it, and a run is found as buddy_find says. */
#include "buddy.h"

#include "random.h"
#include "test.h"

enum { SEEDS = 24, STEPS = 1500, LEAF_PAGES = 1 << BUDDY_LEAF_ORDER };

static struct {
    uint8_t tree[BUDDY_NODES];
    uint64_t in_use[BITMAP_WORDS(CHUNK_PAGES)];
    bool used[CHUNK_PAGES];           /* the model */
    uint8_t largest[2 * CHUNK_PAGES]; /* order + 1 of the largest free run by node, 0: none */
} both;

static void start(void)
{
    memset(&both, 0, sizeof(both));
}

static void mark(unsigned first, unsigned end, bool used)
{
    memset(both.used + first, used, end - first);
    (used ? bitmap_set : bitmap_clear)(both.in_use, first, end);
    buddy_update(both.tree, both.in_use, first, end);
}

static unsigned order_of_node(unsigned node)
{
    return CHUNK_ORDER - log2_floor(node);
}

/* From the pages alone. */
static void model_update(void)
{
    for (unsigned page = 0; page < CHUNK_PAGES; page++) {
        both.largest[CHUNK_PAGES + page] = !both.used[page];
    }
    for (unsigned node = CHUNK_PAGES - 1; node >= BUDDY_ROOT; node--) {
        unsigned order = order_of_node(node);
        uint8_t left = both.largest[2 * node];
        uint8_t right = both.largest[2 * node + 1];
        bool is_whole = left == order && right == order;
        both.largest[node] = is_whole ? (uint8_t)(order + 1) : left > right ? left : right;
    }
}

/* The first page of the first free run of exactly that order under a node, or BUDDY_NO_PAGE. */
static unsigned model_find_exact(unsigned node, unsigned order)
{
    if (both.largest[node] == order_of_node(node) + 1 || node >= CHUNK_PAGES) {
        bool is_it = both.largest[node] == order + 1 && order_of_node(node) == order;
        return is_it ? (node << order) - CHUNK_PAGES : BUDDY_NO_PAGE;
    }
    unsigned left = model_find_exact(2 * node, order);
    return left != BUDDY_NO_PAGE ? left : model_find_exact(2 * node + 1, order);
}

static unsigned model_find(unsigned order)
{
    if (both.largest[BUDDY_ROOT] <= order) {
        return BUDDY_NO_PAGE;
    }
    unsigned node = BUDDY_ROOT;
    while (order_of_node(node) > order && order_of_node(node) > BUDDY_LEAF_ORDER) {
        unsigned left = both.largest[2 * node];
        unsigned right = both.largest[2 * node + 1];
        node = 2 * node + (left <= order || (right > order && right < left));
    }
    if (order_of_node(node) <= order) {
        return (node << order_of_node(node)) - CHUNK_PAGES;
    }
    unsigned found = BUDDY_NO_PAGE;
    for (unsigned exact = order; found == BUDDY_NO_PAGE; exact++) {
        found = model_find_exact(node, exact);
    }
    return found;
}

static bool is_right(void)
{
    model_update();
    bool is_same = buddy_is_valid(both.tree, both.in_use) &&
                   buddy_orders(both.tree) == both.largest[BUDDY_ROOT];
    for (unsigned node = BUDDY_ROOT; node < BUDDY_NODES; node++) {
        is_same &= both.tree[node] + both.largest[node] == (int)order_of_node(node) + 1;
    }
    return is_same;
}

static void step_take(struct random *random)
{
    unsigned order = random_below(random, 4) == 0 ? random_below(random, CHUNK_ORDER + 1)
                                                  : random_below(random, 6);
    unsigned first = buddy_find(both.tree, both.in_use, order);
    CU_ASSERT_EQUAL_FATAL(first, model_find(order));
    if (first != BUDDY_NO_PAGE) {
        CU_ASSERT_EQUAL(first % (1U << order), 0);
        mark(first, first + random_between(random, 1, 1U << order), true);
    }
}

static void step_mark(struct random *random, bool used)
{
    unsigned first = random_below(random, CHUNK_PAGES);
    unsigned most = random_below(random, 4) == 0 ? CHUNK_PAGES : 4;
    unsigned end = first + random_between(random, 1, most);
    mark(first, end < CHUNK_PAGES ? end : CHUNK_PAGES, used);
}

static void random_steps_agree_with_the_model(void)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct random random = random_from(seed);
        start();
        CU_ASSERT_TRUE_FATAL(is_right());
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned choice = random_below(&random, 8);
            if (choice < 3) {
                step_mark(&random, choice == 0);
            } else {
                step_take(&random);
            }
            CU_ASSERT_TRUE_FATAL(is_right());
        }
    }
}

static void every_order_fills_the_chunk_from_below(void)
{
    for (unsigned order = 0; order <= CHUNK_ORDER; order++) {
        start();
        for (unsigned first = 0; first < CHUNK_PAGES; first += 1U << order) {
            CU_ASSERT_EQUAL(buddy_find(both.tree, both.in_use, order), first);
            mark(first, first + (1U << order), true);
        }
        CU_ASSERT_EQUAL(buddy_find(both.tree, both.in_use, 0), BUDDY_NO_PAGE);
        CU_ASSERT_EQUAL(buddy_orders(both.tree), 0);
        CU_ASSERT_TRUE(is_right());
    }
}

static void the_tightest_gap_is_taken(void)
{
    static const unsigned expected[] = {1024, 1040, 512, 516, 64};
    start();
    mark(0, CHUNK_PAGES, true);
    mark(LEAF_PAGES, 2 * LEAF_PAGES, false);
    mark(1024, 1028, false);
    mark(1040, 1056, false);
    mark(512, 520, false);
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        unsigned first = buddy_find(both.tree, both.in_use, 2);
        CU_ASSERT_EQUAL(first, expected[i]);
        mark(first, first == 1040 ? 1056 : first + 4, true);
    }
}

static void the_validator_sees_damage(void)
{
    start();
    mark(0, 3, true);
    for (unsigned node = BUDDY_ROOT; node < BUDDY_NODES; node++) {
        uint8_t kept = both.tree[node];
        both.tree[node] = (uint8_t)(order_of_node(node) + 2);
        CU_ASSERT_FALSE(buddy_is_valid(both.tree, both.in_use));
        both.tree[node] = kept;
    }
    CU_ASSERT_TRUE(buddy_is_valid(both.tree, both.in_use));
}

static const struct test tests[] = {
    {"random steps agree with the model", random_steps_agree_with_the_model},
    {"every order fills the chunk from below", every_order_fills_the_chunk_from_below},
    {"the tightest gap is taken", the_tightest_gap_is_taken},
    {"the validator sees damage", the_validator_sees_damage},
    {NULL, NULL},
};

int main(void)
{
    return test_main("buddy", tests);
}
