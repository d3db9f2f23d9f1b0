/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Explicit arenas: blocks do not overlap, are reused by size, counted exactly and dropped at once.
 */
#include "group.h"
#include "poolmalloc.h"
#include "dies.h"
#include "random.h"
#include "test.h"

#include <errno.h>

enum { BLOCKS = 2000, STEPS = 100000 };

static struct {
    uint8_t *block;
    size_t bytes;
    uint8_t fill;
} live[BLOCKS];

static size_t live_bytes;

static bool is_intact(unsigned i)
{
    for (size_t j = 0; j < live[i].bytes; j++) {
        if (live[i].block[j] != live[i].fill) {
            return false;
        }
    }
    return true;
}

static void replace(pm_arena *arena, struct random *random, unsigned i)
{
    static const unsigned limits[] = {16, 100, 1000, 9000, 40000};
    CU_ASSERT_TRUE(is_intact(i));
    pm_arena_free(arena, live[i].block);
    live_bytes -= live[i].bytes;
    live[i].bytes =
        random_below(random, limits[random_below(random, 5) == 0 ? random_below(random, 5) : 1]);
    live[i].fill = (uint8_t)random_next(random);
    live[i].block = pm_arena_malloc(arena, live[i].bytes);
    CU_ASSERT_EQUAL((uintptr_t)live[i].block % 16, 0);
    memset(live[i].block, live[i].fill, live[i].bytes);
    live_bytes += live[i].bytes;
}

static void blocks_stay_apart(void)
{
    pm_arena *arena = pm_arena_create();
    size_t peak = 0;
    struct random random = random_from(1);
    for (int step = 0; step < STEPS; step++) {
        replace(arena, &random, random_below(&random, BLOCKS));
        peak = live_bytes > peak ? live_bytes : peak;
        CU_ASSERT_EQUAL(pm_arena_get_stats(arena).live_bytes, live_bytes);
    }
    CU_ASSERT_EQUAL(pm_arena_get_stats(arena).peak_bytes, peak);
    CU_ASSERT(pm_arena_get_stats(arena).held_bytes >= live_bytes);
    for (unsigned i = 0; i < BLOCKS; i++) {
        CU_ASSERT_TRUE(is_intact(i));
    }
    pm_arena_destroy(arena);
    CU_ASSERT_EQUAL(pm_misuse_count(), 0);
}

static void reset_drops_all_and_holds_one_slab(void)
{
    pm_arena *arena = pm_arena_create();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10000; i++) {
            CU_ASSERT_PTR_NOT_NULL(pm_arena_malloc(arena, (size_t)i));
        }
        pm_arena_reset(arena);
        pm_arena_stats stats = pm_arena_get_stats(arena);
        CU_ASSERT_EQUAL(stats.live_blocks, 0);
        CU_ASSERT_EQUAL(stats.live_bytes, 0);
        CU_ASSERT_EQUAL(stats.held_bytes, GROUP_SLAB_BYTES);
        CU_ASSERT_EQUAL(stats.allocs, (uint64_t)(round + 1) * 10000);
    }
    pm_arena_destroy(arena);
    pm_arena_destroy(NULL);
}

static void freed_blocks_are_reused(void)
{
    pm_arena *arena = pm_arena_create();
    void *blocks[BLOCKS];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = pm_arena_malloc(arena, 100);
        }
        for (int i = 0; i < BLOCKS; i++) {
            pm_arena_free(arena, blocks[i]);
        }
    }
    CU_ASSERT(pm_arena_get_stats(arena).held_bytes < BLOCKS * 128 + GROUP_SLAB_BYTES);
    void *block = pm_arena_malloc(arena, 100);
    pm_arena_free(arena, block);
    CU_ASSERT_PTR_EQUAL(pm_arena_malloc(arena, 112), block);
    pm_arena_free(arena, NULL);
    CU_ASSERT_PTR_NULL(pm_arena_malloc(arena, SIZE_MAX));
    CU_ASSERT_EQUAL(errno, ENOMEM);
    pm_arena_destroy(arena);
}

static void misuse_is_counted_and_ignored(void)
{
    pm_arena *arena = pm_arena_create();
    pm_arena *other = pm_arena_create();
    void *block = pm_arena_malloc(arena, 100);
    pm_arena_free(other, block);
    CU_ASSERT_EQUAL(pm_misuse_count(), 1);
    pm_arena_free(arena, block);
    pm_arena_free(arena, block);
    CU_ASSERT_EQUAL(pm_misuse_count(), 2);
    CU_ASSERT_EQUAL(pm_arena_get_stats(arena).live_blocks, 0);
    block = pm_arena_malloc(arena, 100);
    pm_arena_reset(arena);
    pm_arena_free(arena, block); /* dropped by the reset */
    CU_ASSERT_EQUAL(pm_misuse_count(), 3);
    CU_ASSERT_EQUAL(pm_arena_get_stats(arena).live_blocks, 0);
    pm_arena_destroy(arena);
    pm_arena_destroy(other);
}

static void free_of_anything_is_ignored(void)
{
    char on_stack[64] = {0};
    static char global[64];
    pm_arena *arena = pm_arena_create();
    void *block = pm_arena_malloc(arena, 100);
    void *const pointers[] = {
        (void *)1,     (void *)16,  (void *)~UINT64_C(15),      (char *)block + 1,
        on_stack + 32, global + 32, (void *)(UINT64_C(1) << 47)};
    uint64_t count = sizeof(pointers) / sizeof(pointers[0]);
    for (uint64_t i = 0; i < count; i++) {
        pm_arena_free(arena, pointers[i]);
        CU_ASSERT_EQUAL(pm_misuse_count(), i + 1);
    }
    pm_arena_free(arena, block);
    CU_ASSERT_EQUAL(pm_misuse_count(), count);
    pm_arena_destroy(arena);
}

static pm_arena *destroyed(void)
{
    pm_arena *arena = pm_arena_create();
    (void)pm_arena_malloc(arena, 100);
    pm_arena_destroy(arena);
    return arena;
}

static void alloc_destroyed(void)
{
    (void)pm_arena_malloc(destroyed(), 100);
}

static void alloc_large_destroyed(void)
{
    (void)pm_arena_malloc(destroyed(), 100000);
}

static void free_destroyed_block(void)
{
    static char block[32];
    pm_arena_free(destroyed(), block + 16);
}

static void destroy_destroyed(void)
{
    pm_arena_destroy(destroyed());
}

static void destroyed_arena_is_fatal(void)
{
    const char *expected = "poolmalloc: fatal: arena used after destroy: ";
    CU_ASSERT_TRUE(dies_saying(alloc_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(alloc_large_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(free_destroyed_block, expected, ""));
    CU_ASSERT_TRUE(dies_saying(destroy_destroyed, expected, ""));
}

static void free_twice(void)
{
    pm_set_checking(true);
    pm_arena *arena = pm_arena_create();
    void *block = pm_arena_malloc(arena, 100);
    pm_arena_free(arena, block);
    pm_arena_free(arena, block);
}

static void misuse_is_fatal_in_checking_mode(void)
{
    CU_ASSERT_TRUE(dies_saying(
        free_twice, "poolmalloc: fatal: free of a block that is not live in this arena: 0x", ""));
}

static const struct test tests[] = {
    {"blocks stay apart, bytes are counted", blocks_stay_apart},
    {"reset drops all and holds one slab", reset_drops_all_and_holds_one_slab},
    {"freed blocks are reused", freed_blocks_are_reused},
    {"misuse is counted and ignored", misuse_is_counted_and_ignored},
    {"free of any pointer is ignored", free_of_anything_is_ignored},
    {"misuse is fatal in checking mode", misuse_is_fatal_in_checking_mode},
    {"a destroyed arena is fatal", destroyed_arena_is_fatal},
    {NULL, NULL},
};

int main(void)
{
    return test_main("group", tests);
}
