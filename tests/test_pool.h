/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects that count what a pool does with them, and what the tests of pools share. */
#ifndef POOLMALLOC_TEST_POOL_H
#define POOLMALLOC_TEST_POOL_H

#include "dies.h"
#include "poolmalloc.h"
#include "test.h"

#include <stdatomic.h>

struct object {
    long value;
    _Atomic int owners; /* threads that hold it: 0 or 1 */
};

extern _Atomic int constructed;
extern _Atomic int resets;
extern _Atomic int destructed;
extern const pm_pool_options counted_objects;

void get_many(pm_pool *pool, void **objects, int count);
void put_many(pm_pool *pool, void *const *objects, int count);
/* Enough calls to pass the private stack and notice a tick. */
void turn_over(pm_pool *pool);

/* test_pool_threads.c */
void test_exchange_without_growth(void);
void test_idle_thread_is_aged(void);
void test_ended_threads_stock_is_adopted(void);
void test_ended_threads_stock_is_stolen(void);
void test_places_outlive_pools(void);
void test_pools_share_places(void);
void test_threads_and_ticks(void);
void test_fork(void);
void test_fork_while_claimed(void);

#endif
