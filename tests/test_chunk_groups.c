/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chunk_groups.h: whatever came, left and changed, what is found is what a plain search over a
 * model finds, and the invariants hold; what was cleared is empty. */
#include "chunk_groups.h"

#include "random.h"
#include "test.h"

enum { CHUNKS = 3 * GROUP_CHUNKS + 1, STEPS = 20000 };

static struct chunk_groups groups;
static struct chunk chunks[CHUNKS];
static struct chunk *places[CHUNKS]; /* the model: who stands where */

static unsigned place_of(const struct chunk *chunk_or_null)
{
    unsigned place = 0;
    while (place < CHUNKS && places[place] != chunk_or_null) {
        place++;
    }
    return place;
}

static void enter(struct chunk *chunk)
{
    chunk->usage_list = USAGE_INIT;
    chunk->tree[BUDDY_ROOT] = 0;
    chunk->longest_gap = CHUNK_PAGES;
    CU_ASSERT_TRUE_FATAL(chunk_groups_add(&groups, chunk));
    places[place_of(NULL)] = chunk;
}

static void leave(struct chunk *chunk)
{
    chunk_groups_remove(&groups, chunk);
    places[place_of(chunk)] = NULL;
}

/* Any largest run, none too, and any list. */
static void change(struct chunk *chunk, struct random *random)
{
    chunk->tree[BUDDY_ROOT] = (uint8_t)random_between(random, 0, CHUNK_ORDER + 1);
    chunk->longest_gap = (uint16_t)random_between(random, 0, CHUNK_PAGES);
    chunk_groups_update(&groups, chunk, random_below(random, USAGE_LIST_COUNT));
}

static struct chunk *search(enum chunk_usage usage, struct chunk_room wanted)
{
    for (unsigned place = 0; place < CHUNKS; place++) {
        struct chunk *chunk = places[place];
        if (chunk != NULL && chunk->usage_list == usage &&
            chunk->tree[BUDDY_ROOT] + wanted.orders <= CHUNK_ORDER + 1 &&
            chunk->longest_gap >= wanted.gap) {
            return chunk;
        }
    }
    return NULL;
}

static bool finds_as_a_search(void)
{
    bool does = chunk_groups_are_valid(&groups);
    for (unsigned usage = 0; usage < USAGE_LIST_COUNT; usage++) {
        for (unsigned order = 0; order <= CHUNK_ORDER; order++) {
            struct chunk_room aligned = {.orders = (uint16_t)(order + 1)};
            struct chunk_room gap = {.gap = (uint16_t)(1U << order)};
            does &= chunk_groups_find(&groups, usage, aligned) == search(usage, aligned) &&
                    chunk_groups_find(&groups, usage, gap) == search(usage, gap);
        }
    }
    return does;
}

static void the_first_that_fits_is_found(void)
{
    struct random random = random_from(5);
    unsigned wrong = 0;
    CU_ASSERT_PTR_NULL(chunk_groups_find(&groups, USAGE_INIT, (struct chunk_room){0}));
    for (unsigned step = 0; step < STEPS; step++) {
        struct chunk *chunk = &chunks[random_below(&random, CHUNKS)];
        if (place_of(chunk) == CHUNKS) {
            enter(chunk);
        } else if (random_below(&random, 8) == 0) {
            leave(chunk);
        } else {
            change(chunk, &random);
        }
        wrong += !finds_as_a_search();
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void cleared_groups_are_empty(void)
{
    for (unsigned i = 0; i < CHUNKS; i++) {
        enter(&chunks[i]);
    }
    CU_ASSERT_EQUAL(groups.counts[USAGE_INIT], CHUNKS);
    chunk_groups_clear(&groups);
    memset(places, 0, sizeof(places));
    CU_ASSERT_EQUAL(groups.counts[USAGE_INIT], 0);
    CU_ASSERT_TRUE(finds_as_a_search());
    enter(&chunks[CHUNKS - 1]);
    CU_ASSERT_TRUE(finds_as_a_search());
}

static const struct test tests[] = {
    {"the first that fits is found", the_first_that_fits_is_found},
    {"cleared groups are empty", cleared_groups_are_empty},
    {NULL, NULL},
};

int main(void)
{
    return test_main("chunk_groups", tests);
}
