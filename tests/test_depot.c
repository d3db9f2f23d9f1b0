/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* depot.h: fresh and victim generations, rescue, counts that add up, no magazine lost or taken
 * twice between threads; the budget never gives more than it has. */
#include "depot.h"

#include "budget.h"
#include "test.h"
#include "threads.h"

enum { MAGAZINES = 64, ROUNDS = 20000, BUDGET = 1000 };

static struct depot depot;

static struct magazine *magazine_with(unsigned count)
{
    struct magazine *magazine = magazine_create(16);
    magazine->count = (uint16_t)count;
    return magazine;
}

static uint32_t magazines(void)
{
    return atomic_load(&depot.magazine_count);
}

static uint32_t slots(void)
{
    return atomic_load(&depot.slot_count);
}

static void put_and_take(void)
{
    struct magazine *first = magazine_with(3);
    struct magazine *second = magazine_with(16);
    CU_ASSERT_PTR_NULL(depot_take(&depot));
    depot_put(&depot, first);
    depot_put(&depot, second);
    CU_ASSERT_EQUAL(magazines(), 2);
    CU_ASSERT_EQUAL(slots(), 19);
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), second);
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), first);
    CU_ASSERT_PTR_NULL(depot_take(&depot));
    CU_ASSERT_EQUAL(magazines(), 0);
    CU_ASSERT_EQUAL(slots(), 0);
}

static void two_ticks_hand_back_what_lay_idle(void)
{
    struct magazine *first = magazine_with(1);
    struct magazine *second = magazine_with(2);
    struct magazine *later = magazine_with(4);
    depot_put(&depot, first);
    depot_put(&depot, second);
    CU_ASSERT_PTR_NULL(depot_age(&depot));
    depot_put(&depot, later);
    CU_ASSERT_EQUAL(slots(), 7);
    CU_ASSERT_PTR_EQUAL(depot_age(&depot), second);
    CU_ASSERT_PTR_EQUAL(magazine_next(second), first);
    CU_ASSERT_PTR_NULL(magazine_next(first));
    CU_ASSERT_EQUAL(magazines(), 1);
    CU_ASSERT_EQUAL(slots(), 4);
    CU_ASSERT_PTR_EQUAL(depot_age(&depot), later);
    CU_ASSERT_EQUAL(magazines(), 0);
    CU_ASSERT_PTR_NULL(depot_age(&depot));
}

/* Fresh ones are taken before victims; a victim that was taken is not handed back. */
static void taking_a_victim_rescues_it(void)
{
    struct magazine *victim = magazine_with(1);
    struct magazine *fresh = magazine_with(2);
    depot_put(&depot, victim);
    CU_ASSERT_PTR_NULL(depot_age(&depot));
    depot_put(&depot, fresh);
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), fresh);
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), victim);
    depot_put(&depot, victim);
    CU_ASSERT_PTR_NULL(depot_age(&depot));
    CU_ASSERT_PTR_EQUAL(depot_age(&depot), victim);
}

/* Who holds a magazine writes its number into it; what is aged goes back at once. */
static void swap_magazines(unsigned number)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct magazine *magazine = i % 16 == 0 ? depot_age(&depot) : depot_take(&depot);
        while (magazine != NULL) {
            struct magazine *next = i % 16 == 0 ? magazine_next(magazine) : NULL;
            magazine->slots[0] = &magazine->slots[number];
            if (*(void *volatile *)&magazine->slots[0] != &magazine->slots[number]) {
                abort();
            }
            depot_put(&depot, magazine);
            magazine = next;
        }
    }
}

static void no_magazine_is_lost_or_doubled(void)
{
    for (unsigned i = 0; i < MAGAZINES; i++) {
        depot_put(&depot, magazine_with(1));
    }
    run_crew(swap_magazines);
    CU_ASSERT_EQUAL(magazines(), MAGAZINES);
    CU_ASSERT_EQUAL(slots(), MAGAZINES);
    struct magazine *taken;
    unsigned count = 0;
    while ((taken = depot_take(&depot)) != NULL) {
        CU_ASSERT_EQUAL(taken->count, 1);
        taken->count = 0; /* a second time would show */
        count++;
    }
    CU_ASSERT_EQUAL(count, MAGAZINES);
    CU_ASSERT_EQUAL(magazines(), 0);
}

/* Stopped between stack and counters, in either order: the magazines stay, the counts are right. */
static void abandoned_by_a_thread_that_is_gone(void)
{
    struct magazine *fresh = magazine_with(5);
    struct magazine *victim = magazine_with(3);
    depot_put(&depot, victim);
    CU_ASSERT_PTR_NULL(depot_age(&depot));
    depot_put(&depot, fresh);
    for (int wrong = -1; wrong <= 1; wrong += 2) {
        atomic_store(&depot.pop_lock.word, self_number() ^ 2);
        atomic_fetch_add(&depot.magazine_count, (uint32_t)wrong);
        atomic_fetch_add(&depot.slot_count, (uint32_t)wrong);
        depot_abandon(&depot);
        CU_ASSERT_EQUAL(magazines(), 2);
        CU_ASSERT_EQUAL(slots(), 8);
    }
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), fresh);
    CU_ASSERT_PTR_EQUAL(depot_take(&depot), victim);
    CU_ASSERT_PTR_NULL(depot_take(&depot));
}

static void the_budget_is_never_passed(void)
{
    budget_set(BUDGET);
    CU_ASSERT_EQUAL(budget_bytes(), BUDGET);
    CU_ASSERT_TRUE(budget_reserve(600));
    CU_ASSERT_FALSE(budget_reserve(401));
    CU_ASSERT_TRUE(budget_reserve(400));
    CU_ASSERT_FALSE(budget_reserve(1));
    budget_release(1);
    CU_ASSERT_TRUE(budget_reserve(1));
    budget_set(500);
    budget_release(400);
    CU_ASSERT_FALSE(budget_reserve(1));
    budget_release(600);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), 0);
}

static void what_comes_back_is_swing(void)
{
    budget_set(BUDGET);
    CU_ASSERT_FALSE(budget_note_refill(1)); /* growth: nothing was spilled */
    budget_note_spill(1000);
    CU_ASSERT_FALSE(budget_note_refill(BUDGET / 2 - 1));
    CU_ASSERT_TRUE(budget_note_refill(1));
    CU_ASSERT_EQUAL(budget_take_swing(), BUDGET / 2);
    CU_ASSERT_EQUAL(budget_take_swing(), 0);
    budget_note_spill(BUDGET / 2);
    budget_forget_spills(); /* half of 1000 stays */
    CU_ASSERT_FALSE(budget_note_refill(501));
    CU_ASSERT_TRUE(budget_note_refill(500));
    CU_ASSERT_FALSE(budget_note_refill(1));
}

static void reserve_and_release(unsigned number)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t bytes = 100 + 100 * number;
        if (budget_reserve(bytes)) {
            if (budget_reserved_bytes() > BUDGET) {
                abort();
            }
            budget_release(bytes);
        }
    }
}

static void the_budget_holds_between_threads(void)
{
    budget_set(BUDGET);
    run_crew(reserve_and_release);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), 0);
}

static const struct test tests[] = {
    {"put and take", put_and_take},
    {"two ticks hand back what lay idle", two_ticks_hand_back_what_lay_idle},
    {"taking a victim rescues it", taking_a_victim_rescues_it},
    {"no magazine is lost or doubled", no_magazine_is_lost_or_doubled},
    {"abandoned by a thread that is gone", abandoned_by_a_thread_that_is_gone},
    {"the budget is never passed", the_budget_is_never_passed},
    {"what is spilled and refilled is swing", what_comes_back_is_swing},
    {"the budget holds between threads", the_budget_holds_between_threads},
    {NULL, NULL},
};

int main(void)
{
    return test_main("depot", tests);
}
