/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Object pools used by several threads, and across fork. */
#include "test_pool.h"

#include "pool.h"
#include "tick.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

_Atomic int constructed;
_Atomic int resets;
_Atomic int destructed;

static void *construct(void *memory, void *context)
{
    (void)context;
    constructed++;
    return memset(memory, 0, sizeof(struct object));
}

static void reset(void *object, void *context)
{
    (void)context;
    resets++;
    ((struct object *)object)->value = 0;
}

static void destruct(void *object, void *context)
{
    (void)object;
    (void)context;
    destructed++;
}

const pm_pool_options counted_objects = {
    .object_bytes = sizeof(struct object),
    .construct = construct,
    .reset = reset,
    .destruct = destruct,
    .name = "counted",
};

void get_many(pm_pool *pool, void **objects, int count)
{
    for (int i = 0; i < count; i++) {
        objects[i] = pm_pool_get(pool);
    }
}

void put_many(pm_pool *pool, void *const *objects, int count)
{
    for (int i = 0; i < count; i++) {
        pm_pool_put(pool, objects[i]);
    }
}

void turn_over(pm_pool *pool)
{
    pm_pool_put(pool, pm_pool_get(pool));
}

/* ---- One gets, the other puts --------------------------------------------------------------- */

enum { EXCHANGED = 100000, IN_FLIGHT = 64 };

static struct {
    pm_pool *pool;
    void *mailbox[IN_FLIGHT];
    sem_t filled;
    sem_t emptied;
} exchange;

static void *put_all(void *unused)
{
    for (int i = 0; i < EXCHANGED; i++) {
        sem_wait(&exchange.filled);
        pm_pool_put(exchange.pool, exchange.mailbox[i % IN_FLIGHT]);
        sem_post(&exchange.emptied);
    }
    return unused;
}

void test_exchange_without_growth(void)
{
    pthread_t putter;
    exchange.pool = pm_pool_create(&counted_objects);
    sem_init(&exchange.filled, 0, 0);
    sem_init(&exchange.emptied, 0, IN_FLIGHT);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&putter, NULL, put_all, NULL), 0);
    for (int i = 0; i < EXCHANGED; i++) {
        sem_wait(&exchange.emptied);
        exchange.mailbox[i % IN_FLIGHT] = pm_pool_get(exchange.pool);
        sem_post(&exchange.filled);
    }
    pthread_join(putter, NULL);
    pm_pool_stats stats = pm_pool_get_stats(exchange.pool);
    CU_ASSERT_EQUAL(stats.puts, EXCHANGED);
    CU_ASSERT(stats.steals > 0);
    /* In flight, in the putter's private stack, and what both hold for a moment. */
    CU_ASSERT(constructed <= IN_FLIGHT + 2 * 16);
    pm_pool_destroy(exchange.pool);
    CU_ASSERT_EQUAL(destructed, constructed);
}

/* ---- Threads that idle or end --------------------------------------------------------------- */

static struct {
    pm_pool *pool;
    sem_t stocked;
    sem_t may_end;
} idler;

static void *stock_and_idle(void *unused)
{
    void *objects[10];
    get_many(idler.pool, objects, 10);
    put_many(idler.pool, objects, 10);
    sem_post(&idler.stocked);
    sem_wait(&idler.may_end);
    return unused;
}

static pthread_t start_idler(void)
{
    pthread_t thread;
    idler.pool = pm_pool_create(&counted_objects);
    sem_init(&idler.stocked, 0, 0);
    sem_init(&idler.may_end, 0, 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stock_and_idle, NULL), 0);
    sem_wait(&idler.stocked);
    return thread;
}

void test_idle_thread_is_aged(void)
{
    pthread_t thread = start_idler();
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(destructed, 0);
        tick_advance();
        pm_pool_put(idler.pool, NULL);
        void *object = pm_pool_get(idler.pool);
        pm_pool_put(idler.pool, object);
    }
    /* The first round rescued one of the ten, the second round used it again. */
    CU_ASSERT_EQUAL(destructed, 9);
    CU_ASSERT_EQUAL(constructed, 10);
    sem_post(&idler.may_end);
    pthread_join(thread, NULL);
    pm_pool_destroy(idler.pool);
    CU_ASSERT_EQUAL(destructed, 10);
}

/* own_stock: this thread takes part before, so that it must steal, else it adopts. */
static void take_over_stock(bool own_stock)
{
    void *objects[10];
    pthread_t thread = start_idler();
    int others = own_stock ? 1 : 0;
    void *own = NULL;
    if (own_stock) {
        own = construct(pm_malloc(sizeof(struct object)), NULL);
        pm_pool_put(idler.pool, own);
        own = pm_pool_get(idler.pool);
    }
    sem_post(&idler.may_end);
    pthread_join(thread, NULL);
    get_many(idler.pool, objects, 10);
    CU_ASSERT_EQUAL(constructed, 10 + others);
    CU_ASSERT_EQUAL(pm_pool_get_stats(idler.pool).hits, (uint64_t)(10 + others));
    put_many(idler.pool, objects, 10);
    pm_pool_put(idler.pool, own);
    pm_pool_destroy(idler.pool);
    CU_ASSERT_EQUAL(destructed, 10 + others);
}

void test_ended_threads_stock_is_adopted(void)
{
    take_over_stock(false);
}

void test_ended_threads_stock_is_stolen(void)
{
    take_over_stock(true);
}

/* ---- Pools that follow each other in one struct ---------------------------------------------- */

enum { FOLLOWING_POOLS = 30 };

static struct {
    pm_pool *pool;
    sem_t created;
    sem_t used;
} following;

static void *use_each(void *unused)
{
    void *objects[4];
    for (int i = 0; i < FOLLOWING_POOLS; i++) {
        sem_wait(&following.created);
        get_many(following.pool, objects, 4);
        put_many(following.pool, objects, 4);
        sem_post(&following.used);
    }
    return unused;
}

/* Two threads use each pool, so that a share left over from a destroyed one would be seen: its
 * objects are gone, and its counts are not the new pool's. */
void test_places_outlive_pools(void)
{
    pthread_t thread;
    void *objects[4];
    sem_init(&following.created, 0, 0);
    sem_init(&following.used, 0, 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, use_each, NULL), 0);
    for (int i = 0; i < FOLLOWING_POOLS; i++) {
        following.pool = pm_pool_create(&counted_objects);
        get_many(following.pool, objects, 4);
        sem_post(&following.created);
        sem_wait(&following.used);
        put_many(following.pool, objects, 4);
        pm_pool_stats stats = pm_pool_get_stats(following.pool);
        CU_ASSERT_EQUAL(stats.gets, 8);
        CU_ASSERT_EQUAL(stats.misses, 8);
        CU_ASSERT_EQUAL(stats.retained_objects, 8);
        pm_pool_destroy(following.pool);
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(constructed, 8 * FOLLOWING_POOLS);
    CU_ASSERT_EQUAL(destructed, 8 * FOLLOWING_POOLS);
}

/* More pools than the thread's cache has places, used in turn: each keeps its own stock. */
void test_pools_share_places(void)
{
    pm_pool *pools[2 * TCACHE_POOLS];
    for (int i = 0; i < 2 * TCACHE_POOLS; i++) {
        pools[i] = pm_pool_create(&counted_objects);
    }
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 2 * TCACHE_POOLS; i++) {
            turn_over(pools[i]);
        }
    }
    CU_ASSERT_EQUAL(constructed, 2 * TCACHE_POOLS);
    for (int i = 0; i < 2 * TCACHE_POOLS; i++) {
        CU_ASSERT_EQUAL(pm_pool_get_stats(pools[i]).gets, 3);
        CU_ASSERT_EQUAL(pm_pool_get_stats(pools[i]).misses, 1);
        pm_pool_destroy(pools[i]);
    }
    CU_ASSERT_EQUAL(destructed, constructed);
}

/* ---- Everything at once --------------------------------------------------------------------- */

enum { WORKERS = 3, DISTURBANCES = 500, HELD = 40 };

static pm_pool *crowded;
static _Atomic int shared_objects;
static _Atomic bool stop;

static void hold(struct object *object)
{
    if (atomic_fetch_add(&object->owners, 1) != 0) {
        shared_objects++;
    }
}

static void *work(void *seed)
{
    void *held[HELD];
    unsigned state = (unsigned)(uintptr_t)seed;
    while (!stop) {
        int count = 1 + rand_r(&state) % HELD;
        get_many(crowded, held, count);
        for (int i = 0; i < count; i++) {
            hold(held[i]);
        }
        for (int i = 0; i < count; i++) {
            atomic_fetch_sub(&((struct object *)held[i])->owners, 1);
            pm_pool_put(crowded, held[i]);
        }
    }
    return NULL;
}

static void disturb_once(void)
{
    tick_advance();
    turn_over(crowded);
    sched_yield();
    pm_pool_drain(crowded);
}

void test_threads_and_ticks(void)
{
    pthread_t workers[WORKERS];
    crowded = pm_pool_create(&counted_objects);
    for (uintptr_t i = 0; i < WORKERS; i++) {
        pthread_create(&workers[i], NULL, work, (void *)(i + 1));
    }
    for (int i = 0; i < DISTURBANCES; i++) {
        disturb_once();
    }
    stop = true;
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], NULL);
    }
    CU_ASSERT_EQUAL(shared_objects, 0);
    pm_pool_stats stats = pm_pool_get_stats(crowded);
    CU_ASSERT_EQUAL(stats.misses, (uint64_t)constructed);
    CU_ASSERT_EQUAL(stats.aged + stats.drops, (uint64_t)destructed);
    CU_ASSERT_EQUAL(stats.retained_objects, (uint64_t)(constructed - destructed));
    CU_ASSERT(stats.aged > 0);
    pm_pool_destroy(crowded);
    CU_ASSERT_EQUAL(destructed, constructed);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

enum { FORKS = 50 };

static bool child_ends_well(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        void *held[HELD];
        for (int i = 0; i < 100; i++) {
            tick_advance();
            get_many(crowded, held, HELD);
            put_many(crowded, held, HELD);
        }
        pm_pool_drain(crowded);
        pm_pool_destroy(pm_pool_create(&counted_objects));
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && status == 0;
}

static void *disturb(void *unused)
{
    while (!stop) {
        disturb_once();
    }
    return unused;
}

/* An ager that held this thread's claim and the lock is gone in the child. */
void test_fork_while_claimed(void)
{
    crowded = pm_pool_create(&counted_objects);
    turn_over(crowded);
    struct pool_local *local = local_at(crowded->place);
    CU_ASSERT_PTR_EQUAL_FATAL(local->pool, crowded);
    uintptr_t gate = atomic_exchange(&local->gate, GATE_CLAIMED);
    atomic_store(&crowded->age_lock.word, self_number() ^ 2); /* another thread */
    CU_ASSERT_TRUE(child_ends_well());
    atomic_store(&crowded->age_lock.word, 0);
    atomic_store(&local->gate, gate);
    pm_pool_destroy(crowded);
}

/* ThreadSanitizer takes what other threads did before a fork for races of the child with them. */
#ifdef __SANITIZE_THREAD__
enum { THREADS_AT_FORK = 0 };
#else
enum { THREADS_AT_FORK = 2 };
#endif

/* Forks while other threads are inside the pool and age it. */
void test_fork(void)
{
    pthread_t disturbers[THREADS_AT_FORK + 1];
    int failed = 0;
    crowded = pm_pool_create(&counted_objects);
    for (int i = 0; i < THREADS_AT_FORK; i++) {
        pthread_create(&disturbers[i], NULL, disturb, NULL);
    }
    for (int i = 0; i < FORKS; i++) {
        turn_over(crowded);
        failed += !child_ends_well();
    }
    stop = true;
    for (int i = 0; i < THREADS_AT_FORK; i++) {
        pthread_join(disturbers[i], NULL);
    }
    CU_ASSERT_EQUAL(failed, 0);
    pm_pool_destroy(crowded);
}
