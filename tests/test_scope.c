/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope guards give back on every way out of a scope, once, in reverse order, and not what was
 * kept. */
#include "poolmalloc/scope.h" /* alone: it brings what it needs */
#include "test.h"

static pm_pool *pool;

static pm_buf *leave(int way)
{
    PM_AUTO_FREE char *line = pm_malloc(100);
    PM_AUTO_RELEASE pm_buf *reply = pm_buf_create(100, 100);
    PM_AUTO_PUT pm_held request = pm_pool_hold(pool);
    if (way == 0) {
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        PM_AUTO_PUT pm_held another = pm_pool_hold(pool);
        if (way == 1) {
            break;
        }
        CU_ASSERT_PTR_NOT_EQUAL(another.object, request.object);
    }
    CU_ASSERT_PTR_NOT_NULL(line);
    return way == 2 ? pm_keep(reply) : NULL;
}

static void *take_out(void)
{
    PM_AUTO_PUT pm_held held = pm_pool_hold(pool);
    return pm_keep(held.object);
}

static void every_way_out_gives_back(void)
{
    pool = pm_pool_create(&(pm_pool_options){.object_bytes = 64});
    for (int way = 0; way < 4; way++) {
        pm_buf *kept = leave(way);
        CU_ASSERT_EQUAL(kept != NULL, way == 2);
        CU_ASSERT_EQUAL(pm_buf_get_stats().live, way == 2 ? 1 : 0);
        pm_buf_release(kept);
        pm_pool_stats stats = pm_pool_get_stats(pool);
        CU_ASSERT_EQUAL(stats.gets, stats.puts);
    }
    pm_pool_destroy(pool);
}

static void what_is_kept_stays_out(void)
{
    pool = pm_pool_create(&(pm_pool_options){.object_bytes = 64});
    void *object = take_out();
    CU_ASSERT_PTR_NOT_NULL(object);
    CU_ASSERT_EQUAL(pm_pool_get_stats(pool).puts, 0);
    pm_pool_put(pool, object);
    pm_pool_destroy(pool);
}

static const struct test tests[] = {
    {"every way out of a scope gives back", every_way_out_gives_back},
    {"what is kept stays out", what_is_kept_stays_out},
    {NULL, NULL},
};

int main(void)
{
    return test_main("scope", tests);
}
