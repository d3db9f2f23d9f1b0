/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buddy.h, invariants 1 and 2 after every step, and against a plain array of used pages: every
 * visible node tells the largest free aligned run under it, a run takes exactly its pages, aligned
 * to its order, from the tightest fitting subtree, lowest address first. */
#include "buddy.h"

#include "random.h"
#include "test.h"

enum { SEEDS = 24, STEPS = 1500, RUNS = 256 };

struct run {
    unsigned first;
    unsigned end;
};

struct both {
    uint8_t tree[BUDDY_NODES];
    bool used[CHUNK_PAGES];
    uint8_t largest[BUDDY_NODES]; /* model: order + 1 of the largest free run, 0: none */
    struct run runs[RUNS];
    unsigned run_count;
};

static struct both both;

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

static unsigned model_alloc(unsigned order)
{
    if (both.largest[BUDDY_ROOT] <= order) {
        return BUDDY_NO_PAGE;
    }
    unsigned node = BUDDY_ROOT;
    while (order_of_node(node) > order) {
        unsigned left = both.largest[2 * node];
        unsigned right = both.largest[2 * node + 1];
        node = 2 * node + (left <= order || (right > order && right < left));
    }
    return (node << order) - CHUNK_PAGES;
}

/* Nodes under a wholly free or wholly used one say nothing. */
static bool agrees(unsigned node)
{
    unsigned order = order_of_node(node);
    if (both.tree[node] + both.largest[node] != order + 1) {
        return false;
    }
    return both.largest[node] == 0 || both.largest[node] == order + 1 ||
           (agrees(2 * node) && agrees(2 * node + 1));
}

static bool is_right(void)
{
    model_update();
    return buddy_is_valid(both.tree) && agrees(BUDDY_ROOT);
}

static void remember(unsigned first, unsigned end)
{
    memset(both.used + first, true, end - first);
    both.runs[both.run_count++] = (struct run){first, end};
}

static void step_alloc(struct random *random)
{
    unsigned order = random_below(random, 4) == 0 ? random_below(random, CHUNK_ORDER + 1)
                                                  : random_below(random, 6);
    unsigned pages = random_between(random, 1, 1U << order);
    unsigned expected = model_alloc(order);
    CU_ASSERT_EQUAL(buddy_has_order(both.tree, order), expected != BUDDY_NO_PAGE);
    unsigned first = buddy_alloc(both.tree, pages, order);
    CU_ASSERT_EQUAL_FATAL(first, expected);
    if (first != BUDDY_NO_PAGE) {
        CU_ASSERT_EQUAL(first % (1U << order), 0);
        remember(first, first + pages);
    }
}

/* All of a run, or its tail. */
static void step_free(struct random *random)
{
    struct run *run = &both.runs[random_below(random, both.run_count)];
    unsigned first = random_below(random, 3) == 0 ? random_between(random, run->first, run->end - 1)
                                                  : run->first;
    buddy_mark_free(both.tree, first, run->end);
    memset(both.used + first, false, run->end - first);
    run->end = first;
    if (run->first == run->end) {
        *run = both.runs[--both.run_count];
    }
}

/* Any free range, as growing in place and purging take it. */
static void step_mark(struct random *random)
{
    unsigned first = random_below(random, CHUNK_PAGES);
    unsigned most = random_between(random, 1, 200);
    unsigned end = first;
    while (end < CHUNK_PAGES && end - first < most && !both.used[end]) {
        end++;
    }
    if (end > first) {
        buddy_mark_used(both.tree, first, end);
        remember(first, end);
    }
}

static void random_steps_agree_with_the_model(void)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct random random = random_from(seed);
        memset(&both, 0, sizeof(both));
        CU_ASSERT_TRUE_FATAL(is_right());
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned choice = random_below(&random, 8);
            if (both.run_count == RUNS || (choice >= 5 && both.run_count > 0)) {
                step_free(&random);
            } else if (choice == 0) {
                step_mark(&random);
            } else {
                step_alloc(&random);
            }
            CU_ASSERT_TRUE_FATAL(is_right());
        }
        while (both.run_count > 0) {
            step_free(&random);
        }
        CU_ASSERT_TRUE(is_right());
        CU_ASSERT_EQUAL(both.tree[BUDDY_ROOT], 0);
    }
}

static void every_length_takes_exactly_its_pages(void)
{
    static const uint8_t free_tree[BUDDY_NODES];
    for (unsigned pages = 1; pages <= CHUNK_PAGES; pages++) {
        memset(&both, 0, sizeof(both));
        CU_ASSERT_EQUAL(buddy_alloc(both.tree, pages, log2_ceil(pages)), 0);
        memset(both.used, true, pages);
        CU_ASSERT_TRUE(is_right());
        buddy_mark_free(both.tree, 0, pages);
        CU_ASSERT_EQUAL(memcmp(both.tree, free_tree, sizeof(free_tree)), 0);
    }
}

static void every_order_fills_the_chunk_from_below(void)
{
    for (unsigned order = 0; order <= CHUNK_ORDER; order++) {
        memset(&both, 0, sizeof(both));
        for (unsigned first = 0; first < CHUNK_PAGES; first += 1U << order) {
            CU_ASSERT_EQUAL(buddy_alloc(both.tree, 1U << order, order), first);
        }
        CU_ASSERT_EQUAL(buddy_alloc(both.tree, 1, 0), BUDDY_NO_PAGE);
        CU_ASSERT_FALSE(buddy_has_order(both.tree, 0));
        memset(both.used, true, sizeof(both.used));
        CU_ASSERT_TRUE(is_right());
    }
}

static void the_tightest_gap_is_taken(void)
{
    memset(&both, 0, sizeof(both));
    buddy_mark_used(both.tree, 0, CHUNK_PAGES);
    buddy_mark_free(both.tree, 64, 128);
    buddy_mark_free(both.tree, 1024, 1028);
    buddy_mark_free(both.tree, 512, 520);
    CU_ASSERT_EQUAL(buddy_alloc(both.tree, 4, 2), 1024);
    CU_ASSERT_EQUAL(buddy_alloc(both.tree, 4, 2), 512);
    CU_ASSERT_EQUAL(buddy_alloc(both.tree, 4, 2), 516);
    CU_ASSERT_EQUAL(buddy_alloc(both.tree, 4, 2), 64);
}

static void the_validator_sees_damage(void)
{
    memset(&both, 0, sizeof(both));
    buddy_alloc(both.tree, 3, 2);
    for (unsigned node = BUDDY_ROOT; node < BUDDY_NODES; node++) {
        uint8_t kept = both.tree[node];
        both.tree[node] = (uint8_t)(order_of_node(node) + 2);
        CU_ASSERT_FALSE(buddy_is_valid(both.tree));
        both.tree[node] = kept;
    }
    CU_ASSERT_TRUE(buddy_is_valid(both.tree));
}

static const struct test tests[] = {
    {"random steps agree with the model", random_steps_agree_with_the_model},
    {"every length takes exactly its pages", every_length_takes_exactly_its_pages},
    {"every order fills the chunk from below", every_order_fills_the_chunk_from_below},
    {"the tightest gap is taken", the_tightest_gap_is_taken},
    {"the validator sees damage", the_validator_sees_damage},
    {NULL, NULL},
};

int main(void)
{
    return test_main("buddy", tests);
}
