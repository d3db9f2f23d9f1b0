/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource pools: limits, order, waiting, timeouts, validation, closing, fork; and under threads no
 * more than max_open are ever open and every one is closed. */
#include "dies.h"
#include "poolmalloc.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct connection {
    _Atomic int users;
    bool broken;
};

static _Atomic int open_now;
static _Atomic int open_peak;
static _Atomic int opened;
static _Atomic bool fail_open;

static void *open_connection(void *context)
{
    (void)context;
    if (fail_open) {
        errno = ECONNREFUSED;
        return NULL;
    }
    opened++;
    int now = ++open_now;
    int peak = open_peak;
    while (now > peak && !atomic_compare_exchange_weak(&open_peak, &peak, now)) {
    }
    return pm_calloc(1, sizeof(struct connection));
}

static void close_connection(void *resource, void *context)
{
    (void)context;
    open_now--;
    pm_free(resource);
}

static bool is_valid(void *resource, void *context)
{
    (void)context;
    return !((struct connection *)resource)->broken;
}

static pm_resources_options options(size_t initial, size_t max_open, size_t max_idle)
{
    return (pm_resources_options){.open = open_connection,
                                  .close = close_connection,
                                  .validate = is_valid,
                                  .initial = initial,
                                  .max_open = max_open,
                                  .max_idle = max_idle};
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void opens_initial_then_to_the_limit(void)
{
    pm_resources *pool = pm_resources_create(&(pm_resources_options){
        .open = open_connection, .close = close_connection, .initial = 2, .max_open = 3});
    CU_ASSERT_EQUAL(opened, 2);
    CU_ASSERT_EQUAL(pm_resources_length(pool), 2);
    void *got[3];
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_NOT_NULL(got[i] = pm_resources_get(pool, 0));
    }
    CU_ASSERT_PTR_NULL(pm_resources_get(pool, 0));
    CU_ASSERT_EQUAL(errno, EAGAIN);
    CU_ASSERT_PTR_NULL(pm_resources_get(pool, 30));
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    CU_ASSERT_EQUAL(opened, 3);
    for (int i = 0; i < 3; i++) {
        pm_resources_put(pool, got[i]);
    }
    CU_ASSERT_PTR_EQUAL(pm_resources_get(pool, 0), got[2]); /* the newest first */
    pm_resources_put(pool, got[2]);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).gets, 4);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).waits, 2);
    pm_resources_destroy(pool);
    CU_ASSERT_EQUAL(open_now, 0);
}

static void keeps_no_more_than_max_idle(void)
{
    pm_resources_options wanted = options(0, 0, 2);
    pm_resources *pool = pm_resources_create(&wanted);
    void *got[5];
    for (int i = 0; i < 5; i++) {
        got[i] = pm_resources_get(pool, 0);
    }
    for (int i = 0; i < 5; i++) {
        pm_resources_put(pool, got[i]);
    }
    CU_ASSERT_EQUAL(pm_resources_length(pool), 2);
    CU_ASSERT_EQUAL(open_now, 2);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).closed_idle, 3);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).in_use, 0);
    pm_resources_destroy(pool);
}

static void broken_ones_are_closed(void)
{
    pm_resources_options wanted = options(2, 2, 2);
    pm_resources *pool = pm_resources_create(&wanted);
    struct connection *first = pm_resources_get(pool, 0);
    struct connection *second = pm_resources_get(pool, 0);
    first->broken = true;
    second->broken = true;
    pm_resources_put(pool, first);
    pm_resources_discard(pool, second);
    CU_ASSERT_EQUAL(open_now, 1);
    struct connection *third = pm_resources_get(pool, 0);
    CU_ASSERT_FALSE(third->broken);
    CU_ASSERT_EQUAL(open_now, 1);
    CU_ASSERT_EQUAL(opened, 3);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).closed_invalid, 2);
    pm_resources_put(pool, third);
    pm_resources_put(pool, NULL);
    pm_resources_discard(pool, NULL);
    pm_resources_destroy(pool);
}

static void expired_ones_are_closed(void)
{
    pm_resources_options wanted = options(3, 3, 3);
    wanted.idle_timeout_ms = 20;
    pm_resources *pool = pm_resources_create(&wanted);
    sleep_ms(60);
    CU_ASSERT_EQUAL(pm_resources_close_expired(pool), 3);
    CU_ASSERT_EQUAL(open_now, 0);
    void *fresh = pm_resources_get(pool, 0);
    pm_resources_put(pool, fresh);
    CU_ASSERT_EQUAL(pm_resources_length(pool), 1);
    sleep_ms(60);
    pm_resources_put(pool, pm_resources_get(pool, 0)); /* the get closes and opens anew */
    CU_ASSERT_EQUAL(opened, 5);
    CU_ASSERT_EQUAL(pm_resources_get_stats(pool).closed_expired, 4);
    pm_resources_destroy(pool);
    CU_ASSERT_EQUAL(open_now, 0);
}

static void failures_of_open_come_through(void)
{
    pm_resources_options wanted = options(1, 1, 1);
    fail_open = true;
    CU_ASSERT_PTR_NULL(pm_resources_create(&wanted));
    CU_ASSERT_EQUAL(errno, ECONNREFUSED);
    wanted.initial = 0;
    pm_resources *pool = pm_resources_create(&wanted);
    CU_ASSERT_PTR_NULL(pm_resources_get(pool, PM_WAIT_FOREVER));
    CU_ASSERT_EQUAL(errno, ECONNREFUSED);
    fail_open = false;
    void *resource = pm_resources_get(pool, 0); /* the failure left its place free */
    CU_ASSERT_PTR_NOT_NULL(resource);
    pm_resources_put(pool, resource);
    pm_resources_destroy(pool);
}

static void wrong_options_are_refused(void)
{
    pm_resources_options wanted = options(3, 2, 0);
    CU_ASSERT_PTR_NULL(pm_resources_create(&wanted));
    wanted = options(3, 0, 2);
    CU_ASSERT_PTR_NULL(pm_resources_create(&wanted));
    wanted = options(0, 0, 0);
    wanted.close = NULL;
    CU_ASSERT_PTR_NULL(pm_resources_create(&wanted));
    CU_ASSERT_PTR_NULL(pm_resources_create(NULL));
    CU_ASSERT_EQUAL(errno, EINVAL);
    pm_resources_destroy(NULL);
}

/* ---- Waiting -------------------------------------------------------------------------------- */

enum { WAITERS = 4 };

static pm_resources *shared;
static _Atomic int served;
static int order[WAITERS];
static int errors[WAITERS];

static void *wait_for_one(void *number)
{
    int index = (int)(intptr_t)number;
    void *resource = pm_resources_get(shared, PM_WAIT_FOREVER);
    errors[index] = resource == NULL ? errno : 0;
    order[index] = served++;
    pm_resources_put(shared, resource);
    return NULL;
}

static void start_waiters(pthread_t *threads)
{
    for (int i = 0; i < WAITERS; i++) {
        pthread_create(&threads[i], NULL, wait_for_one, (void *)(intptr_t)i);
        while (pm_resources_get_stats(shared).waiting != (uint64_t)i + 1) {
            sleep_ms(1);
        }
    }
}

static void join_waiters(pthread_t *threads)
{
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void waiters_are_served_in_order(void)
{
    pthread_t threads[WAITERS];
    pm_resources_options wanted = options(1, 1, 1);
    shared = pm_resources_create(&wanted);
    void *only = pm_resources_get(shared, 0);
    start_waiters(threads);
    pm_resources_put(shared, only);
    join_waiters(threads);
    for (int i = 0; i < WAITERS; i++) {
        CU_ASSERT_EQUAL(order[i], i);
    }
    CU_ASSERT_EQUAL(opened, 1);
    CU_ASSERT_EQUAL(pm_resources_get_stats(shared).waits, WAITERS);
    pm_resources_destroy(shared);
}

static void discard_lets_a_waiter_open(void)
{
    pthread_t threads[WAITERS];
    pm_resources_options wanted = options(1, 1, 1);
    shared = pm_resources_create(&wanted);
    void *only = pm_resources_get(shared, 0);
    start_waiters(threads);
    pm_resources_discard(shared, only);
    join_waiters(threads);
    CU_ASSERT_EQUAL(opened, 2);
    CU_ASSERT_EQUAL(open_peak, 1);
    pm_resources_destroy(shared);
}

static void close_all_ends_the_wait(void)
{
    pthread_t threads[WAITERS];
    pm_resources_options wanted = options(1, 1, 1);
    shared = pm_resources_create(&wanted);
    void *only = pm_resources_get(shared, 0);
    start_waiters(threads);
    pm_resources_close_all(shared);
    join_waiters(threads);
    for (int i = 0; i < WAITERS; i++) {
        CU_ASSERT_EQUAL(errors[i], ESHUTDOWN);
    }
    CU_ASSERT_PTR_NULL(pm_resources_get(shared, 0));
    CU_ASSERT_EQUAL(errno, ESHUTDOWN);
    CU_ASSERT_EQUAL(open_now, 1);
    pm_resources_put(shared, only);
    CU_ASSERT_EQUAL(open_now, 0);
    pm_resources_destroy(shared);
}

/* ---- Threads and fork ----------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 2000, LIMIT = 3 };

static _Atomic int shared_users;

static void *work(void *seed)
{
    unsigned state = (unsigned)(uintptr_t)seed;
    for (int i = 0; i < ROUNDS; i++) {
        struct connection *connection = pm_resources_get(shared, rand_r(&state) % 3 - 1);
        if (connection == NULL) {
            continue;
        }
        shared_users += atomic_fetch_add(&connection->users, 1) != 0;
        connection->broken = rand_r(&state) % 8 == 0;
        atomic_fetch_sub(&connection->users, 1);
        if (rand_r(&state) % 8 == 0) {
            pm_resources_discard(shared, connection);
        } else {
            pm_resources_put(shared, connection);
        }
    }
    return NULL;
}

static void limits_hold_under_threads(void)
{
    pthread_t threads[THREADS];
    pm_resources_options wanted = options(1, LIMIT, 2);
    shared = pm_resources_create(&wanted);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(shared_users, 0);
    CU_ASSERT(open_peak <= LIMIT);
    pm_resources_stats stats = pm_resources_get_stats(shared);
    CU_ASSERT_EQUAL(stats.in_use, 0);
    CU_ASSERT_EQUAL(stats.waiting, 0);
    CU_ASSERT_EQUAL(stats.opened, (uint64_t)opened);
    CU_ASSERT_EQUAL(stats.idle, (uint64_t)open_now);
    pm_resources_destroy(shared);
    CU_ASSERT_EQUAL(open_now, 0);
}

static bool child_starts_empty(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        int before = opened;
        void *resource = pm_resources_get(shared, 0);
        bool own = resource != NULL && opened == before + 1;
        pm_resources_put(shared, resource);
        _exit(own && pm_resources_length(shared) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && status == 0;
}

/* ThreadSanitizer takes what other threads did before a fork for races of the child with them. */
#ifdef __SANITIZE_THREAD__
enum { THREADS_AT_FORK = 0 };
#else
enum { THREADS_AT_FORK = 2 };
#endif

static void forked_child_starts_empty(void)
{
    pthread_t threads[THREADS_AT_FORK + 1];
    int failed = 0;
    pm_resources_options wanted = options(1, LIMIT, 2);
    shared = pm_resources_create(&wanted);
    for (int i = 0; i < THREADS_AT_FORK; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(intptr_t)(i + 1));
    }
    for (int i = 0; i < 30; i++) {
        failed += !child_starts_empty();
    }
    for (int i = 0; i < THREADS_AT_FORK; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(failed, 0);
    pm_resources_destroy(shared);
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static void a_second_put_is_counted_and_ignored(void)
{
    pm_resources_options wanted = options(2, 2, 2);
    pm_resources *pool = pm_resources_create(&wanted);
    void *first = pm_resources_get(pool, 0);
    void *second = pm_resources_get(pool, 0);
    pm_resources_put(pool, first);
    pm_resources_put(pool, second);
    pm_resources_put(pool, first);
    CU_ASSERT_EQUAL(pm_misuse_count(), 1);
    CU_ASSERT_EQUAL(pm_resources_length(pool), 2);
    CU_ASSERT_EQUAL(open_now, 2);
    CU_ASSERT_PTR_EQUAL(pm_resources_get(pool, 0), second);
    CU_ASSERT_PTR_EQUAL(pm_resources_get(pool, 0), first);
    pm_resources_put(pool, first);
    pm_resources_put(pool, second);
    pm_resources_destroy(pool);
    CU_ASSERT_EQUAL(open_now, 0);
}

static void put_twice(void)
{
    pm_resources_options wanted = options(1, 1, 1);
    pm_set_checking(true);
    pm_resources *pool = pm_resources_create(&wanted);
    void *resource = pm_resources_get(pool, 0);
    pm_resources_put(pool, resource);
    pm_resources_put(pool, resource);
}

static pm_resources *destroyed(void)
{
    pm_resources_options wanted = options(1, 1, 1);
    pm_resources *pool = pm_resources_create(&wanted);
    pm_resources_destroy(pool);
    return pool;
}

static void get_destroyed(void)
{
    pm_resources_get(destroyed(), 0);
}

static void put_destroyed(void)
{
    static int resource;
    pm_resources_put(destroyed(), &resource);
}

static void destroy_destroyed(void)
{
    pm_resources_destroy(destroyed());
}

static void count_destroyed(void)
{
    (void)pm_resources_length(destroyed());
}

static void misuse_is_fatal(void)
{
    const char *expected = "poolmalloc: fatal: resource pool used after destroy: ";
    CU_ASSERT_TRUE(
        dies_saying(put_twice, "poolmalloc: fatal: resource put into a pool twice: ", ""));
    CU_ASSERT_TRUE(dies_saying(get_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(put_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(destroy_destroyed, expected, ""));
    CU_ASSERT_TRUE(dies_saying(count_destroyed, expected, ""));
}

static const struct test tests[] = {
    {"opens the initial ones, then to the limit", opens_initial_then_to_the_limit},
    {"keeps no more than max_idle", keeps_no_more_than_max_idle},
    {"invalid and discarded ones are closed", broken_ones_are_closed},
    {"expired ones are closed", expired_ones_are_closed},
    {"failures of open come through", failures_of_open_come_through},
    {"wrong options are refused", wrong_options_are_refused},
    {"waiters are served in order", waiters_are_served_in_order},
    {"a discard lets a waiter open", discard_lets_a_waiter_open},
    {"close_all ends the wait", close_all_ends_the_wait},
    {"limits hold under threads", limits_hold_under_threads},
    {"a forked child starts empty", forked_child_starts_empty},
    {"a second put is counted and ignored", a_second_put_is_counted_and_ignored},
    {"a second put when checking, and a destroyed pool, are fatal", misuse_is_fatal},
    {NULL, NULL},
};

int main(void)
{
    return test_main("resource_pool", tests);
}
