/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Object pools: callbacks, limits, two generations on driven ticks, stealing, counters that add up,
 * late use of a destroyed pool, threads that come and go. */
#include "test_pool.h"

#include "pool.h"
#include "tick.h"

#include <errno.h>

/* ---- Callbacks and limits ------------------------------------------------------------------- */

static void reuses_what_was_put(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    struct object *first = pm_pool_get(pool);
    first->value = 42;
    pm_pool_put(pool, first);
    CU_ASSERT_EQUAL(first->value, 0);
    CU_ASSERT_PTR_EQUAL(pm_pool_get(pool), first);
    CU_ASSERT_EQUAL(constructed, 1);
    CU_ASSERT_EQUAL(resets, 1);
    pm_pool_put(pool, first);
    pm_pool_destroy(pool);
    CU_ASSERT_EQUAL(destructed, 1);
}

static void aligns_and_zeroes_without_constructor(void)
{
    pm_pool *pool = pm_pool_create(&(pm_pool_options){.object_bytes = 24, .alignment = 256});
    unsigned char *object = pm_pool_get(pool);
    CU_ASSERT_EQUAL((uintptr_t)object % 256, 0);
    for (int i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(object[i], 0);
    }
    pm_pool_put(pool, object);
    pm_pool_destroy(pool);
}

static void opaque_pool_without_constructor_runs_empty(void)
{
    int things[2];
    pm_pool *pool = pm_pool_create(NULL);
    errno = 0;
    CU_ASSERT_PTR_NULL(pm_pool_get(pool));
    CU_ASSERT_EQUAL(errno, EAGAIN);
    pm_pool_put(pool, NULL);
    pm_pool_put(pool, &things[0]);
    pm_pool_put(pool, &things[1]);
    CU_ASSERT_PTR_EQUAL(pm_pool_get(pool), &things[1]);
    CU_ASSERT_PTR_EQUAL(pm_pool_get(pool), &things[0]);
    CU_ASSERT_PTR_NULL(pm_pool_get(pool));
    pm_pool_destroy(pool);
}

static void reset_changes_errno(void *object, void *context)
{
    (void)object;
    (void)context;
    errno = ENETDOWN;
}

static void put_preserves_errno(void)
{
    enum { COUNT = 40 }; /* beyond the private stack */
    void *objects[COUNT];
    pm_pool *pool =
        pm_pool_create(&(pm_pool_options){.object_bytes = 8, .reset = reset_changes_errno});
    get_many(pool, objects, COUNT);
    errno = 0;
    put_many(pool, objects, COUNT);
    CU_ASSERT_EQUAL(errno, 0);
    pm_pool_destroy(pool);
}

static void *fail(void *object, void *context)
{
    (void)object;
    (void)context;
    errno = ENETDOWN;
    return NULL;
}

static void failing_constructor_is_the_callers_news(void)
{
    pm_pool *pool = pm_pool_create(&(pm_pool_options){.object_bytes = 8, .construct = fail});
    CU_ASSERT_PTR_NULL(pm_pool_get(pool));
    CU_ASSERT_EQUAL(errno, ENETDOWN);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).misses, 1);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).hits, 0);
    pm_pool_destroy(pool);
}

static void wrong_options_are_refused(void)
{
    CU_ASSERT_PTR_NULL(pm_pool_create(&(pm_pool_options){.alignment = 24}));
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_PTR_NULL(pm_pool_create(&(pm_pool_options){.max_retained_bytes = 1}));
    CU_ASSERT_EQUAL(errno, EINVAL);
}

static size_t size_of_object(const void *object, void *context)
{
    (void)context;
    return (size_t)((const struct object *)object)->value;
}

static void too_large_objects_are_dropped(void)
{
    pm_pool_options options = counted_objects;
    options.reset = NULL;
    options.size_of = size_of_object;
    options.max_retained_bytes = 1000;
    pm_pool *pool = pm_pool_create(&options);
    struct object *small = pm_pool_get(pool);
    struct object *large = pm_pool_get(pool);
    small->value = 1000;
    large->value = 1001;
    pm_pool_put(pool, large);
    CU_ASSERT_EQUAL(destructed, 1);
    pm_pool_put(pool, small);
    pm_pool_stats stats = pm_pool_get_stats(pool);
    CU_ASSERT_EQUAL(stats.drops, 1);
    CU_ASSERT_EQUAL(stats.retained_objects, 1);
    CU_ASSERT_EQUAL(stats.retained_bytes, 1000);
    CU_ASSERT_PTR_EQUAL(pm_pool_get(pool), small);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_bytes, 0);
    pm_pool_put(pool, small);
    pm_pool_destroy(pool);
    CU_ASSERT_EQUAL(destructed, 2);
}

static pm_pool *asked;
static bool asking;

/* Uses the very pool that asks; its own calls ask again, once. */
static size_t size_by_using_the_pool(const void *object, void *context)
{
    (void)object;
    (void)context;
    if (!asking) {
        asking = true;
        turn_over(asked);
        asking = false;
    }
    return 1;
}

static void size_of_may_use_the_pool(void)
{
    enum { COUNT = 100 };
    void *objects[COUNT];
    asked = pm_pool_create(&(pm_pool_options){.object_bytes = 64,
                                              .size_of = size_by_using_the_pool,
                                              .max_retained_bytes = 1,
                                              .max_retained_objects = COUNT});
    get_many(asked, objects, COUNT);
    put_many(asked, objects, COUNT);
    pm_pool_stats stats = pm_pool_get_stats(asked);
    CU_ASSERT_EQUAL(stats.retained_objects, stats.misses - stats.drops);
    CU_ASSERT_EQUAL(stats.retained_bytes, stats.retained_objects);
    asking = true; /* a pool that is being destroyed cannot be used any more */
    pm_pool_destroy(asked);
}

static void stock_limit_holds(void)
{
    enum { COUNT = 100, LIMIT = 10 };
    pm_pool_options options = counted_objects;
    options.max_retained_objects = LIMIT;
    pm_pool *pool = pm_pool_create(&options);
    void *objects[COUNT];
    get_many(pool, objects, COUNT);
    put_many(pool, objects, COUNT);
    CU_ASSERT_EQUAL(destructed, COUNT - LIMIT);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, LIMIT);
    get_many(pool, objects, COUNT);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).hits, LIMIT);
    put_many(pool, objects, COUNT);
    pm_pool_destroy(pool);
}

static void many_objects_are_kept_apart(void)
{
    enum { COUNT = 10000 };
    static void *objects[COUNT];
    pm_pool *pool = pm_pool_create(&counted_objects);
    for (int round = 0; round < 3; round++) {
        get_many(pool, objects, COUNT);
        for (int i = 0; i < COUNT; i++) {
            CU_ASSERT_EQUAL(((struct object *)objects[i])->value, 0);
            ((struct object *)objects[i])->value = 1; /* a second owner would see it */
        }
        put_many(pool, objects, COUNT);
        CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, COUNT);
        CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_bytes, COUNT * sizeof(struct object));
    }
    CU_ASSERT_EQUAL(constructed, COUNT);
    pm_pool_drain(pool);
    CU_ASSERT_EQUAL(destructed, COUNT);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, 0);
    pm_pool_destroy(pool);
}

/* ---- Ageing --------------------------------------------------------------------------------- */

static void unused_objects_are_gone_after_two_ticks(void)
{
    enum { COUNT = 100 };
    void *objects[COUNT];
    pm_pool *pool = pm_pool_create(&counted_objects);
    pm_pool *other = pm_pool_create(&counted_objects);
    get_many(pool, objects, COUNT);
    put_many(pool, objects, COUNT);
    tick_advance();
    turn_over(pool);
    CU_ASSERT_EQUAL(destructed, 0);
    tick_advance();
    turn_over(other); /* has callbacks: only calls of the pool itself run them */
    CU_ASSERT_EQUAL(destructed, 0);
    turn_over(pool);
    /* The one that turn_over used stays. */
    CU_ASSERT_EQUAL(destructed, COUNT - 1);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).aged, COUNT - 1);
    pm_pool_destroy(pool);
    pm_pool_destroy(other);
}

static void used_objects_are_rescued(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    void *object = pm_pool_get(pool);
    pm_pool_put(pool, object);
    for (int tick = 0; tick < 10; tick++) {
        tick_advance();
        CU_ASSERT_PTR_EQUAL(pm_pool_get(pool), object);
        pm_pool_put(pool, object);
    }
    CU_ASSERT_EQUAL(destructed, 0);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).rescues, 10);
    tick_advance();
    tick_advance();
    CU_ASSERT_PTR_NOT_NULL(object = pm_pool_get(pool));
    CU_ASSERT_EQUAL(destructed, 1);
    CU_ASSERT_EQUAL(constructed, 2);
    pm_pool_put(pool, object);
    pm_pool_destroy(pool);
}

static void pool_nobody_calls_is_aged_by_others(void)
{
    void *objects[50];
    pm_pool *idle = pm_pool_create(&(pm_pool_options){.object_bytes = 100});
    pm_pool *busy = pm_pool_create(&(pm_pool_options){.object_bytes = 100});
    get_many(idle, objects, 50);
    put_many(idle, objects, 50);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(pm_pool_get_stats(idle).retained_objects, 50);
        tick_advance();
        turn_over(busy);
    }
    CU_ASSERT_EQUAL(pm_pool_get_stats(idle).retained_objects, 0);
    pm_pool_destroy(idle);
    pm_pool_destroy(busy);
}

/* A caller that read the tick before others moved on comes late. */
static void late_callers_do_not_age(void)
{
    void *objects[50];
    pm_pool *pool = pm_pool_create(&counted_objects);
    get_many(pool, objects, 50);
    put_many(pool, objects, 50);
    atomic_store(&pool->aged_tick, tick_count() + 1);
    get_many(pool, objects, 50);
    put_many(pool, objects, 50);
    CU_ASSERT_EQUAL(destructed, 0);
    CU_ASSERT_EQUAL(pool->aged_tick, tick_count() + 1);
    pm_pool_destroy(pool);
}

static void counters_that_disagree_give_no_nonsense(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    turn_over(pool);
    /* As if a get had ended between the reading of gets and of misses. */
    local_at(pool->place)->counts[COUNT_MISSES]++;
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).hits, 0);
    local_at(pool->place)->counts[COUNT_MISSES]--;
    local_at(pool->place)->counts[COUNT_DROPS] += 2;
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).retained_objects, 0);
    pm_pool_destroy(pool);
}

static void trim_empties_pools_without_callbacks(void)
{
    void *objects[50];
    pm_pool *plain = pm_pool_create(&(pm_pool_options){.object_bytes = 100});
    pm_pool *counted = pm_pool_create(&counted_objects);
    get_many(plain, objects, 50);
    put_many(plain, objects, 50);
    get_many(counted, objects, 50);
    put_many(counted, objects, 50);
    pm_trim();
    CU_ASSERT_EQUAL(pm_pool_get_stats(plain).retained_objects, 0);
    CU_ASSERT_EQUAL(pm_pool_get_stats(counted).retained_objects, 50);
    pm_pool_destroy(plain);
    pm_pool_destroy(counted);
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static void use_destroyed(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    pm_pool_destroy(pool);
    pm_pool_get(pool);
}

static void never_called(void *object, void *context)
{
    (void)object;
    (void)context;
    _exit(EXIT_FAILURE);
}

static void put_destroyed(void)
{
    pm_pool *pool = pm_pool_create(&(pm_pool_options){.reset = never_called});
    pm_pool_destroy(pool);
    pm_pool_put(pool, &pool);
}

static void destroy_destroyed(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    pm_pool_destroy(pool);
    pm_pool_destroy(pool);
}

static void drain_destroyed(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    pm_pool_destroy(pool);
    pm_pool_drain(pool);
}

static void count_destroyed(void)
{
    pm_pool *pool = pm_pool_create(&counted_objects);
    pm_pool_destroy(pool);
    (void)pm_pool_get_stats(pool);
}

static void destroyed_pool_is_fatal(void)
{
    const char *expected = "poolmalloc: fatal: object pool used after destroy: ";
    CU_ASSERT_TRUE(dies_saying(use_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(put_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(destroy_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(drain_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(count_destroyed, expected, ""));
    pm_pool_destroy(NULL);
}

static void pools_come_and_go(void)
{
    void *objects[40];
    for (int i = 0; i < 1000; i++) {
        pm_pool *pool = pm_pool_create(&counted_objects);
        get_many(pool, objects, 40);
        put_many(pool, objects, 40);
        CU_ASSERT_EQUAL(pm_pool_get_stats(pool).gets, 40);
        CU_ASSERT_EQUAL(pm_pool_get_stats(pool).misses, 40);
        pm_pool_destroy(pool);
    }
    CU_ASSERT_EQUAL(constructed, destructed);
}

static const struct test tests[] = {
    {"what was put is got again, reset", reuses_what_was_put},
    {"objects are aligned, and zero without constructor", aligns_and_zeroes_without_constructor},
    {"opaque pointers: last in first out, then EAGAIN", opaque_pool_without_constructor_runs_empty},
    {"a failing constructor's errno comes through", failing_constructor_is_the_callers_news},
    {"put preserves errno, whatever reset does", put_preserves_errno},
    {"wrong options are refused", wrong_options_are_refused},
    {"objects above max_retained_bytes are dropped", too_large_objects_are_dropped},
    {"size_of may use the pool that asks", size_of_may_use_the_pool},
    {"max_retained_objects holds", stock_limit_holds},
    {"10,000 objects stay apart, drain lets all go", many_objects_are_kept_apart},
    {"unused objects are gone after two ticks", unused_objects_are_gone_after_two_ticks},
    {"an object used within two ticks is rescued", used_objects_are_rescued},
    {"a pool nobody calls is aged by calls of another", pool_nobody_calls_is_aged_by_others},
    {"a call that read the tick too early ages nothing", late_callers_do_not_age},
    {"counters that disagree give no nonsense", counters_that_disagree_give_no_nonsense},
    {"trim empties pools that need no callbacks", trim_empties_pools_without_callbacks},
    {"a destroyed pool is fatal", destroyed_pool_is_fatal},
    {"a thousand pools come and go", pools_come_and_go},
    {"a producer and a consumer exchange without growth", test_exchange_without_growth},
    {"an idle thread's private stock ages", test_idle_thread_is_aged},
    {"a thread's share of a destroyed pool is not the next pool's", test_places_outlive_pools},
    {"more pools than places keep their stocks", test_pools_share_places},
    {"stock of ended threads is adopted", test_ended_threads_stock_is_adopted},
    {"stock of ended threads is stolen", test_ended_threads_stock_is_stolen},
    {"threads, ticks and drains: nothing lost or shared", test_threads_and_ticks},
    {"a forked child goes on", test_fork},
    {"a forked child is freed of a claim", test_fork_while_claimed},
    {NULL, NULL},
};

int main(void)
{
    return test_main("pool", tests);
}
