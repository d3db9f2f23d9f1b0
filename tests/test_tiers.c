/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiers: every size comes from the smallest tier that suffices and returns to it; blocks of a
 * wrong size are freed, not kept. */
#include "dies.h"
#include "poolmalloc.h"
#include "test.h"
#include "tiers.h"

#include <errno.h>

enum { MIN_BYTES = 512, MAX_BYTES = 8192 };

static void every_size_finds_its_tier(void)
{
    pm_tiers *tiers = pm_tiers_create(MIN_BYTES, MAX_BYTES);
    for (size_t bytes = 0; bytes <= MAX_BYTES; bytes++) {
        size_t expected = MIN_BYTES;
        while (expected < bytes) {
            expected *= 2;
        }
        CU_ASSERT_EQUAL(tiers_round_up(tiers, bytes), expected);
        char *block = pm_tiers_get(tiers, bytes);
        CU_ASSERT(pm_usable_size(block) >= expected);
        memset(block, 1, expected);
        pm_tiers_put(tiers, block);
    }
    pm_pool_stats stats = pm_tiers_get_stats(tiers);
    CU_ASSERT_EQUAL(stats.gets, MAX_BYTES + 1);
    CU_ASSERT_EQUAL(stats.misses, 5); /* one per tier: every block came back to where it was */
    CU_ASSERT_EQUAL(stats.drops, 0);
    CU_ASSERT_EQUAL(stats.retained_bytes, 512 + 1024 + 2048 + 4096 + 8192);
    pm_tiers_destroy(tiers);
}

static void oversized_and_small_blocks_are_freed(void)
{
    pm_tiers *tiers = pm_tiers_create(MIN_BYTES, MAX_BYTES);
    pm_tiers_put(tiers, pm_tiers_get(tiers, 2 * MAX_BYTES));
    pm_tiers_put(tiers, pm_malloc(16));
    pm_tiers_put(tiers, NULL);
    pm_pool_stats stats = pm_tiers_get_stats(tiers);
    CU_ASSERT_EQUAL(stats.misses, 1);
    CU_ASSERT_EQUAL(stats.drops, 2);
    CU_ASSERT_EQUAL(stats.retained_objects, 0);
    pm_tiers_destroy(tiers);
}

static void a_foreign_block_serves_the_tier_it_covers(void)
{
    pm_tiers *tiers = pm_tiers_create(MIN_BYTES, MAX_BYTES);
    void *block = pm_malloc(1500);
    pm_tiers_put(tiers, block);
    CU_ASSERT_PTR_EQUAL(pm_tiers_get(tiers, 1024), block);
    pm_tiers_put(tiers, block);
    pm_tiers_destroy(tiers);
}

static void wrong_bounds_are_refused(void)
{
    static const size_t bounds[][2] = {{0, 0}, {8, 64}, {48, 64}, {64, 100}, {128, 64}};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_tiers_create(bounds[i][0], bounds[i][1]));
        CU_ASSERT_EQUAL(errno, EINVAL);
    }
}

static pm_tiers *destroyed(void)
{
    pm_tiers *tiers = pm_tiers_create(MIN_BYTES, MAX_BYTES);
    pm_tiers_destroy(tiers);
    return tiers;
}

static void get_destroyed(void)
{
    (void)pm_tiers_get(destroyed(), 600);
}

static void put_destroyed(void)
{
    pm_tiers_put(destroyed(), pm_malloc(600));
}

static void count_destroyed(void)
{
    (void)pm_tiers_get_stats(destroyed());
}

static void destroy_destroyed(void)
{
    pm_tiers_destroy(destroyed());
}

static void destroyed_tiers_are_fatal(void)
{
    const char *expected = "poolmalloc: fatal: tiers used after destroy: ";
    CU_ASSERT_TRUE(dies_saying(get_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(put_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(count_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(destroy_destroyed, expected, ""));
    for (int i = 0; i < 100; i++) { /* what is kept for it does not grow */
        (void)destroyed();
    }
    pm_tiers_destroy(NULL);
}

static const struct test tests[] = {
    {"every size finds its tier and returns to it", every_size_finds_its_tier},
    {"oversized and small blocks are freed", oversized_and_small_blocks_are_freed},
    {"a block from pm_malloc serves the tier it covers", a_foreign_block_serves_the_tier_it_covers},
    {"wrong bounds are refused", wrong_bounds_are_refused},
    {"destroyed tiers are fatal", destroyed_tiers_are_fatal},
    {NULL, NULL},
};

int main(void)
{
    return test_main("tiers", tests);
}
