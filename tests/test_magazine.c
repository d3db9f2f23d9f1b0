/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* magazine.h: a magazine of any capacity is empty, has its NULL below the first slot and room for
 * all; one that was destroyed comes back for the same room; no two owners at once. */
#include "magazine.h"

#include "bits.h"
#include "os.h"

#include "random.h"
#include "test.h"
#include "threads.h"

enum { MOST = 1 << MAGAZINE_ROOM_LOG2_MAX, ROUNDS = 20000, HELD = 8 };

static void magazines_of_every_capacity(void)
{
    struct magazine *made[MOST + 1];
    for (unsigned capacity = 1; capacity <= MOST; capacity++) {
        struct magazine *magazine = magazine_create(capacity);
        CU_ASSERT_PTR_NOT_NULL_FATAL(magazine);
        CU_ASSERT_EQUAL(magazine->count, 0);
        CU_ASSERT_EQUAL(magazine->capacity, capacity);
        CU_ASSERT_EQUAL(magazine->room_log2, log2_ceil(capacity));
        CU_ASSERT_PTR_NULL(magazine->guard);
        CU_ASSERT_PTR_EQUAL(&magazine->guard + 1, magazine->slots);
        magazine->slots[0] = &made[capacity];
        magazine->slots[capacity - 1] = &made[capacity];
        made[capacity] = magazine;
    }
    for (unsigned capacity = 1; capacity <= MOST; capacity++) {
        CU_ASSERT_PTR_NULL(made[capacity]->guard);
        CU_ASSERT_PTR_EQUAL(made[capacity]->slots[0], &made[capacity]);
        CU_ASSERT_PTR_EQUAL(made[capacity]->slots[capacity - 1], &made[capacity]);
    }
}

static void a_destroyed_one_comes_back(void)
{
    struct magazine *large = magazine_create(100);
    struct magazine *small = magazine_create(3);
    large->count = 5;
    magazine_destroy(large);
    magazine_destroy(small);
    CU_ASSERT_PTR_EQUAL(magazine_create(4), small);
    CU_ASSERT_PTR_EQUAL(magazine_create(65), large);
    CU_ASSERT_EQUAL(large->capacity, 65);
    CU_ASSERT_EQUAL(large->count, 0);
    CU_ASSERT_PTR_NULL(large->guard);
}

static void create_and_destroy(unsigned number)
{
    struct random random = random_from(number + 1);
    struct magazine *held[HELD] = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct magazine **place = &held[random_below(&random, HELD)];
        if (*place == NULL) {
            *place = magazine_create(random_between(&random, 1, 16));
            (*place)->slots[0] = &held[number];
        } else {
            if ((*place)->slots[0] != &held[number]) {
                abort(); /* somebody else has it too */
            }
            magazine_destroy(*place);
            *place = NULL;
        }
    }
}

static void no_two_owners_at_once(void)
{
    run_crew(create_and_destroy);
}

/* A stock that another thread was popping from at fork is forgotten; others stay. */
static void abandoned_stocks(void)
{
    struct magazine *magazine = magazine_create(16);
    magazine_destroy(magazine);
    magazine_abandon_stocks();
    CU_ASSERT_PTR_EQUAL(magazine_create(16), magazine);
}

static void no_memory_for_a_magazine(void)
{
    os_fail_after(0, 1);
    CU_ASSERT_PTR_NULL(magazine_create(1));
    CU_ASSERT_PTR_NOT_NULL(magazine_create(1));
}

static const struct test tests[] = {
    {"magazines of every capacity", magazines_of_every_capacity},
    {"a destroyed one comes back", a_destroyed_one_comes_back},
    {"no two owners at once", no_two_owners_at_once},
    {"abandoned stocks", abandoned_stocks},
    {"no memory for a magazine", no_memory_for_a_magazine},
    {NULL, NULL},
};

int main(void)
{
    return test_main("magazine", tests);
}
