/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tick.h: a tick is counted once, whoever advances it. */
#include "tick.h"

#include "test.h"
#include "threads.h"

enum { ADVANCES = 10000 };

static void advance_often(unsigned number)
{
    (void)number;
    for (unsigned i = 0; i < ADVANCES; i++) {
        tick_advance();
    }
}

static void every_advance_counts(void)
{
    uint32_t before = tick_count();
    tick_advance();
    CU_ASSERT_EQUAL(tick_count(), before + 1);
    run_crew(advance_often);
    CU_ASSERT_EQUAL(tick_count(), before + 1 + THREADS * ADVANCES);
}

static const struct test tests[] = {
    {"every advance counts", every_advance_counts},
    {NULL, NULL},
};

int main(void)
{
    return test_main("tick", tests);
}
