/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry of all pools: where they begin and end, and what thread exit, fork and ticks do to
 * every one. See pool.h. */
#include "pool.h"

#include "limit.h"
#include "misuse.h"
#include "panic.h"

#include <string.h>

enum {
    REGISTRY_FIRST_POOLS = 16,
    RETIRED_KEPT = 8, /* structs that are not reused yet, so that late use of them is noticed */
};

/* Guarded by lock, but for the fork handlers. */
static struct {
    struct mutex lock;
    struct pm_pool **pools;
    uint32_t count;
    uint32_t capacity;
    uint32_t retired;              /* of count, in a list: */
    struct pm_pool *first_retired; /* the oldest */
    struct pm_pool *last_retired;
} registry;

/* ---- Fork, thread exit, tick ---------------------------------------------------------------- */

/* In the child: an ager that is gone may have left claims. What it had claimed is given up. */
static void release_claims(struct pm_pool *pool)
{
    struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_relaxed);
    for (; local != NULL; local = local->next) {
        if (atomic_load_explicit(&local->gate, memory_order_relaxed) == GATE_CLAIMED) {
            local_forget(local);
            local_unclaim(local, GATE_SPILLED);
        }
    }
}

static void after_fork_in_child(void) NO_THREAD_SAFETY_ANALYSIS
{
    (void)mutex_abandon(&registry.lock);
    for (uint32_t i = 0; i < registry.count; i++) {
        if (mutex_abandon(&registry.pools[i]->age_lock)) {
            release_claims(registry.pools[i]);
        }
    }
}

static void disown(struct pool_local *local)
{
    if (local->pool->state == POOL_LIVE) {
        (void)local_enter_slow(local);
        local_spill(local, pool_fresh(local->pool));
        local_leave(local);
    }
    /* release: pairs with the acquire in adopt */
    atomic_store_explicit(&local->owned, false, memory_order_release);
}

/* The thread's stocks stay: others steal from them, the next new thread adopts them. */
static void thread_exit(struct pool_table *table)
{
    mutex_lock(&registry.lock);
    table_free(table, disown);
    mutex_unlock(&registry.lock);
}

/* The tick's listener. It may be called by whoever holds the lock: then gates close at the next. */
static void close_gates(void)
{
    if (!mutex_try_lock(&registry.lock)) {
        return;
    }
    for (uint32_t i = 0; i < registry.count; i++) {
        struct pm_pool *pool = registry.pools[i];
        struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_acquire);
        for (; local != NULL; local = local->next) {
            local_close(local, pool);
        }
    }
    mutex_unlock(&registry.lock);
}

/* Memory is allocated and freed under the lock, and the program, asked to free some, may trim. */
static bool holds_lock(void)
{
    return mutex_is_own(&registry.lock);
}

void pool_use_after_destroy(const struct pm_pool *pool)
{
    panic_at(FATAL_POOL_DESTROYED, pool, 0, NULL);
}

/* ---- Registry ------------------------------------------------------------------------------- */

static struct pm_pool *reuse_struct(void) REQUIRES(registry.lock)
{
    if (registry.retired <= RETIRED_KEPT) {
        return NULL;
    }
    struct pm_pool *pool = registry.first_retired;
    registry.first_retired = pool->next_retired;
    registry.retired--;
    return pool;
}

static void put_retired(struct pm_pool *pool) REQUIRES(registry.lock)
{
    if (registry.retired == 0) {
        registry.first_retired = pool;
    } else {
        registry.last_retired->next_retired = pool;
    }
    registry.last_retired = pool;
    registry.retired++;
}

static bool registry_has_room(void) REQUIRES(registry.lock)
{
    if (registry.count < registry.capacity) {
        return true;
    }
    uint32_t capacity = registry.capacity == 0 ? REGISTRY_FIRST_POOLS : registry.capacity * 2;
    struct pm_pool **pools = pm_malloc(capacity * sizeof(void *));
    if (pools == NULL) {
        return false;
    }
    struct pm_pool **old = registry.pools;
    if (old != NULL) {
        memcpy(pools, old, registry.count * sizeof(void *));
    }
    registry.pools = pools; /* whole at every instant: a forked child walks it */
    registry.capacity = capacity;
    pm_free(old);
    return true;
}

static struct pm_pool *add_struct(void) REQUIRES(registry.lock)
{
    if (!registry_has_room()) {
        return NULL;
    }
    struct pm_pool *pool = pm_aligned_alloc(LOCAL_ALIGNMENT, sizeof(*pool));
    if (pool != NULL) {
        if (registry.count == 0) {
            tcache_on_pools_exit = thread_exit; /* a constructor might come too late */
            atomic_store_explicit(&tick_listener, close_gates, memory_order_release);
            atomic_store_explicit(&limit_is_bad_moment, holds_lock, memory_order_release);
        }
        memset(pool, 0, sizeof(*pool));
        pool->number = registry.count;
        pool->place = local_place(pool->number);
        registry.pools[registry.count] = pool;
        registry.count++;
    }
    return pool;
}

struct pm_pool *pool_register(void)
{
    static _Atomic bool is_registered;
    mutex_on_fork(&is_registered, after_fork_in_child);
    mutex_lock(&registry.lock);
    struct pm_pool *pool = reuse_struct();
    if (pool == NULL) {
        pool = add_struct();
    }
    if (pool != NULL) {
        memset(pool, 0, offsetof(struct pm_pool, place));
        pool->put_gate = GATE_NONE;
        pool->state = POOL_FIXED; /* taken; agers pass it by until it is published */
    }
    mutex_unlock(&registry.lock);
    return pool;
}

void pool_publish(struct pm_pool *pool)
{
    mutex_lock(&registry.lock);
    atomic_init(&pool->aged_tick, tick_count());
    pool->state = POOL_LIVE;
    mutex_unlock(&registry.lock);
}

void pool_unregister(struct pm_pool *pool)
{
    mutex_lock(&registry.lock);
    bool was_live = pool->state != POOL_DESTROYED;
    pool->state = POOL_DESTROYED;
    mutex_unlock(&registry.lock);
    if (!was_live) {
        pool_use_after_destroy(pool);
    }
}

void pool_retire(struct pm_pool *pool)
{
    mutex_lock(&registry.lock);
    /* Taken off first: a forked child walks the list, whole or empty. */
    struct pool_local *next = atomic_exchange(&pool->locals, NULL);
    while (next != NULL) {
        struct pool_local *local = next;
        next = local->next;
        local_detach(local);
        /* acquire: pairs with the release in disown */
        if (!atomic_load_explicit(&local->owned, memory_order_acquire)) {
            local_free(local);
        }
    }
    put_retired(pool);
    mutex_unlock(&registry.lock);
}

/* ---- Walks ---------------------------------------------------------------------------------- */

static void visit_all(void (*visit)(struct pm_pool *)) REQUIRES(registry.lock)
{
    for (uint32_t i = 0; i < registry.count; i++) {
        struct pm_pool *pool = registry.pools[i];
        if (pool->state == POOL_LIVE && !pool->has_callbacks_for_aging) {
            visit(pool);
        }
    }
}

void pools_visit(void (*visit)(struct pm_pool *))
{
    mutex_lock(&registry.lock);
    visit_all(visit);
    mutex_unlock(&registry.lock);
}

void pools_try_visit(void (*visit)(struct pm_pool *))
{
    if (mutex_try_lock(&registry.lock)) {
        visit_all(visit);
        mutex_unlock(&registry.lock);
    }
}
