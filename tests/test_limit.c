/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bound on memory: near it everything unused is purged, then the program is asked, then large
 * requests fail; small ones never do, and freeing makes room again. */
#include "limit.h"

#include "config.h"
#include "poolmalloc.h"
#include "tick.h"

#include "test.h"

enum { BLOCK_BYTES = 1 << 20, LIMIT_BYTES = 32 << 20, BLOCKS = 64 };

static void *blocks[BLOCKS];
static unsigned block_count;

static unsigned fill(void)
{
    for (block_count = 0; block_count < BLOCKS; block_count++) {
        blocks[block_count] = pm_malloc(BLOCK_BYTES);
        if (blocks[block_count] == NULL) {
            break;
        }
        memset(blocks[block_count], 1, BLOCK_BYTES);
    }
    return block_count;
}

static void free_blocks(unsigned count)
{
    while (count-- > 0) {
        pm_free(blocks[--block_count]);
    }
}

static void large_requests_fail_at_the_limit(void)
{
    config.limit_bytes = LIMIT_BYTES;
    unsigned count = fill();
    CU_ASSERT_TRUE(count >= 28 && count <= 32);
    CU_ASSERT_PTR_NULL(pm_malloc(LIMIT_BYTES));
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(100));
    free_blocks(count);
    CU_ASSERT_EQUAL(fill(), count);
}

static void what_is_free_is_purged_before_a_request_fails(void)
{
    config.limit_bytes = LIMIT_BYTES;
    free_blocks(fill());
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(LIMIT_BYTES / 4 * 3)); /* needs a mapping of its own */
    CU_ASSERT_TRUE(limit_resident_bytes() <= LIMIT_BYTES);
}

static unsigned calls;

static void give_way(uint64_t resident_bytes, uint64_t limit_bytes)
{
    calls++;
    CU_ASSERT_TRUE(resident_bytes <= LIMIT_BYTES);
    CU_ASSERT_EQUAL(limit_bytes, LIMIT_BYTES);
    free_blocks(block_count / 2);
}

static void the_program_is_asked_first(void)
{
    config.limit_bytes = LIMIT_BYTES;
    fill();
    limit_set_callback(give_way);
    tick_advance();
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(8 * BLOCK_BYTES));
    CU_ASSERT_EQUAL(calls, 1);
    CU_ASSERT_PTR_NULL(pm_malloc(LIMIT_BYTES));
    CU_ASSERT_EQUAL(calls, 1); /* once a tick */
}

static bool is_bad_moment;

static bool moment(void)
{
    return is_bad_moment;
}

/* The registry of object pools says so while it allocates and frees under its lock, which pm_trim
 * takes. */
static void the_program_is_not_asked_at_a_bad_moment(void)
{
    pm_pool_destroy(pm_pool_create(NULL));
    CU_ASSERT_FALSE(limit_is_bad_moment());
    limit_is_bad_moment = moment;
    config.limit_bytes = LIMIT_BYTES;
    fill();
    limit_set_callback(give_way);
    tick_advance();
    is_bad_moment = true;
    CU_ASSERT_PTR_NULL(pm_malloc(8 * BLOCK_BYTES));
    CU_ASSERT_EQUAL(calls, 0);
    is_bad_moment = false;
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(8 * BLOCK_BYTES));
    CU_ASSERT_EQUAL(calls, 1);
}

static pm_resources *connections;
static unsigned closings;

static void *open_connection(void *context)
{
    (void)context;
    return pm_malloc(1);
}

static void close_connection(void *connection, void *context)
{
    (void)context;
    pm_free(connection);
}

static void close_idle(uint64_t resident_bytes, uint64_t limit_bytes)
{
    (void)resident_bytes;
    (void)limit_bytes;
    closings++;
    (void)pm_resources_close_expired(connections);
}

static void the_program_may_close_resources_when_asked(void)
{
    enum { CONNECTIONS = 20000 };
    static void *held[CONNECTIONS];
    connections = pm_resources_create(
        &(pm_resources_options){.open = open_connection, .close = close_connection});
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        held[i] = pm_resources_get(connections, 0);
    }
    config.limit_bytes = 1;
    limit_set_callback(close_idle);
    for (unsigned i = 0; i < CONNECTIONS; i++) { /* its array of idle ones grows */
        tick_advance();
        pm_resources_put(connections, held[i]);
    }
    CU_ASSERT(closings > 0);
    pm_resources_destroy(connections);
}

static void no_limit_no_bound(void)
{
    CU_ASSERT_EQUAL(limit_in_force(), 0);
    CU_ASSERT_EQUAL(fill(), BLOCKS);
}

static const struct test tests[] = {
    {"large requests fail at the limit, freeing makes room", large_requests_fail_at_the_limit},
    {"what is free is purged before a request fails",
     what_is_free_is_purged_before_a_request_fails},
    {"the program is asked first, once a tick", the_program_is_asked_first},
    {"the program is not asked at a bad moment", the_program_is_not_asked_at_a_bad_moment},
    {"the program may close resources when asked", the_program_may_close_resources_when_asked},
    {"no limit, no bound", no_limit_no_bound},
    {NULL, NULL},
};

int main(void)
{
    return test_main("limit", tests);
}
