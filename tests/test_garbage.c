/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* garbage.h: due by half of what is live and by a step; only what came since counts; a mistake
 * makes the step larger, ticks make it smaller again. */
#include "garbage.h"

#include "test.h"

enum { MIB = 1 << 20, STEP_MIB = GARBAGE_STEP_BYTES / MIB, NEXT_MIB = GARBAGE_NEXT_BYTES / MIB };

static struct garbage garbage;

static void start(void)
{
    garbage = (struct garbage){.step_bytes = GARBAGE_STEP_BYTES};
}

static bool is_due(uint64_t garbage_mib, uint64_t live_mib, uint64_t now_ms)
{
    return garbage_is_due(&garbage, garbage_mib * MIB, live_mib * MIB, now_ms);
}

/* Everything is purged but for what survivors hold in place. */
static void purge(uint64_t purged_mib, uint64_t left_mib, uint64_t live_mib, uint64_t now_ms)
{
    garbage_note_purge(&garbage, purged_mib * MIB, left_mib * MIB, live_mib * MIB, now_ms);
}

static void due_by_a_step_and_half_of_what_is_live(void)
{
    start();
    CU_ASSERT_FALSE(is_due(STEP_MIB, 0, 0));
    CU_ASSERT_TRUE(is_due(STEP_MIB + 1, 0, 0));
    CU_ASSERT_TRUE(is_due(STEP_MIB + 1, 2 * STEP_MIB, 0));
    CU_ASSERT_FALSE(is_due(500, 1000, 0));
    CU_ASSERT_TRUE(is_due(501, 1000, 0));
}

static void only_what_came_since_counts(void)
{
    start();
    purge(400, 100, 10, 0);
    CU_ASSERT_FALSE(is_due(100 + NEXT_MIB, 10, 1));
    CU_ASSERT_TRUE(is_due(100 + NEXT_MIB + 1, 10, 1));
    CU_ASSERT_FALSE(is_due(20, 90, 1)); /* what was left is used again, and counts no more */
    CU_ASSERT_TRUE(is_due(20 + NEXT_MIB + 1, 10, 1));
}

static void what_is_wanted_again_soon_was_a_mistake(void)
{
    start();
    purge(60, 0, 10, 1000);
    CU_ASSERT_FALSE(is_due(0, 39, 1500));
    CU_ASSERT_EQUAL(garbage.step_bytes, GARBAGE_NEXT_BYTES);
    CU_ASSERT_FALSE(is_due(0, 40, 1600));
    CU_ASSERT_EQUAL(garbage.step_bytes, 8 * (uint64_t)GARBAGE_STEP_BYTES);
    CU_ASSERT_FALSE(is_due(0, 70, 1700)); /* one mistake, not two */
    CU_ASSERT_FALSE(is_due(60, 10, 1800));
    CU_ASSERT_EQUAL(garbage.step_bytes, 8 * (uint64_t)GARBAGE_STEP_BYTES);
}

static void what_is_wanted_later_was_none(void)
{
    start();
    purge(60, 0, 10, 1000);
    CU_ASSERT_FALSE(is_due(0, 70, 3000));
    CU_ASSERT_EQUAL(garbage.step_bytes, GARBAGE_NEXT_BYTES);
}

static void ticks_end_what_was_under_way(void)
{
    start();
    purge(60, 0, 10, 1000);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(garbage.step_bytes < GARBAGE_STEP_BYTES);
        garbage_age(&garbage);
    }
    CU_ASSERT_EQUAL(garbage.step_bytes, GARBAGE_STEP_BYTES);
}

static void ticks_forget_mistakes(void)
{
    start();
    garbage.step_bytes = 8 * (uint64_t)GARBAGE_STEP_BYTES;
    unsigned ticks = 0;
    while (garbage.step_bytes > GARBAGE_STEP_BYTES && ticks < 100) {
        garbage_age(&garbage);
        ticks++;
    }
    CU_ASSERT_EQUAL(garbage.step_bytes, GARBAGE_STEP_BYTES);
    CU_ASSERT(ticks > 20); /* 5 s */
    CU_ASSERT(ticks < 50);
}

static const struct test tests[] = {
    {"due by a step and by half of what is live", due_by_a_step_and_half_of_what_is_live},
    {"only what came since counts", only_what_came_since_counts},
    {"what is wanted again soon was a mistake", what_is_wanted_again_soon_was_a_mistake},
    {"what is wanted later was none", what_is_wanted_later_was_none},
    {"ticks end what was under way", ticks_end_what_was_under_way},
    {"ticks forget mistakes", ticks_forget_mistakes},
    {NULL, NULL},
};

int main(void)
{
    return test_main("garbage", tests);
}
