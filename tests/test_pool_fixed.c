/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fixed pools: exactly `count` aligned blocks, exhaustion, misuse, many threads. */
#include "test_pool_fixed.h"

#include "poolmalloc.h"
#include "dies.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum { COUNT = 100, THREADS = 4, ROUNDS = 50000 };

static void hands_out_exactly_count_blocks(void)
{
    char *blocks[COUNT];
    pm_pool *pool = pm_pool_create_fixed(100, 64, COUNT);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            blocks[i] = pm_pool_get(pool);
            CU_ASSERT_EQUAL((uintptr_t)blocks[i] % 64, 0);
            memset(blocks[i], i, 100);
        }
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_pool_get(pool));
        CU_ASSERT_EQUAL(errno, EAGAIN);
        for (int i = 0; i < COUNT; i++) {
            CU_ASSERT_EQUAL(blocks[i][0], i);
            CU_ASSERT_EQUAL(blocks[i][99], i);
            pm_pool_put(pool, blocks[i]);
        }
        CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, COUNT);
    }
    pm_pool_drain(pool);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, COUNT);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).misses, 3);
    pm_pool_destroy(pool);
}

static void misuse_is_counted_and_ignored(void)
{
    pm_pool *pool = pm_pool_create_fixed(16, 16, 2);
    char *block = pm_pool_get(pool);
    pm_pool_put(pool, block);
    pm_pool_put(pool, block);
    pm_pool_put(pool, block + 8);
    pm_pool_put(pool, block - 16);
    pm_pool_put(pool, &pool);
    CU_ASSERT_EQUAL(pm_misuse_count(), 4);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).drops, 4);
    CU_ASSERT_PTR_NOT_EQUAL(pm_pool_get(pool), pm_pool_get(pool));
    CU_ASSERT_PTR_NULL(pm_pool_get(pool));
    pm_pool_destroy(pool);
}

static void put_twice(void)
{
    pm_set_checking(true);
    pm_pool *pool = pm_pool_create_fixed(16, 16, 2);
    char *block = pm_pool_get(pool);
    pm_pool_put(pool, block);
    pm_pool_put(pool, block);
}

static void misuse_is_fatal_in_checking_mode(void)
{
    CU_ASSERT_TRUE(
        dies_saying(put_twice, "poolmalloc: fatal: block put into a fixed pool twice: 0x", ""));
}

static void wrong_shapes_are_refused(void)
{
    static const size_t shapes[][3] = {
        {0, 16, 1}, {16, 24, 1}, {16, 16, 0}, {SIZE_MAX, 16, 1}, {SIZE_MAX / 4, 16, 8}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_pool_create_fixed(shapes[i][0], shapes[i][1], shapes[i][2]));
        CU_ASSERT_EQUAL(errno, EINVAL);
    }
}

static pm_pool *crowded;
static _Atomic int shared_blocks;

static void *work(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        _Atomic int *block = pm_pool_get(crowded);
        if (block != NULL) {
            shared_blocks += atomic_fetch_add(block, 1) != 0;
            atomic_fetch_sub(block, 1);
            pm_pool_put(crowded, (void *)block);
        }
    }
    return unused;
}

static void a_block_has_one_owner(void)
{
    pthread_t threads[THREADS];
    crowded = pm_pool_create_fixed(64, 64, THREADS - 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(shared_blocks, 0);
    CU_ASSERT_EQUAL(pm_pool_get_stats(crowded).retained_objects, THREADS - 1);
    CU_ASSERT_EQUAL(pm_misuse_count(), 0);
    pm_pool_destroy(crowded);
}

static const struct test tests[] = {
    {"exactly count aligned blocks, then EAGAIN", hands_out_exactly_count_blocks},
    {"misuse is counted and ignored", misuse_is_counted_and_ignored},
    {"misuse is fatal in checking mode", misuse_is_fatal_in_checking_mode},
    {"wrong shapes are refused", wrong_shapes_are_refused},
    {"under threads a block has one owner", a_block_has_one_owner},
    {"every order of steps of small programs", test_every_fixed_schedule},
    {NULL, NULL},
};

int main(void)
{
    return test_main("pool_fixed", tests);
}
