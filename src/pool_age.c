/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools in time: the registry of all pools, who has which local, ticks, fork. See pool.h. */
#include "pool.h"

#include "misuse.h"
#include "panic.h"

#include <string.h>

enum {
    REGISTRY_FIRST_POOLS = 16,
    RETIRED_KEPT = 8,  /* structs that are not reused yet, so that late use of them is noticed */
    AGES_TO_EMPTY = 2, /* generations after which nothing unused is left */
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

static _Atomic uint32_t noticed_tick; /* at which somebody last aged all pools */

/* ---- Fork, thread exit, tick ------------------------------------------------------------------
 */

/* In the child: an ager that is gone may have left claims. What it had claimed is given up. */
static void release_claims(struct pm_pool *pool)
{
    struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_relaxed);
    for (; local != NULL; local = local->next) {
        if (atomic_load_explicit(&local->gate, memory_order_relaxed) == GATE_CLAIMED) {
            local->inner_top = local->stack;
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
        local_leave_slow(local);
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
        }
        memset(pool, 0, sizeof(*pool));
        pool->place = registry.count * sizeof(struct pool_local *);
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
        uint64_t place = pool->place;
        memset(pool, 0, sizeof(*pool));
        pool->place = place;
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
    struct pool_local *next = atomic_load_explicit(&pool->locals, memory_order_relaxed);
    while (next != NULL) {
        struct pool_local *local = next;
        next = local->next;
        local_detach(local);
        /* acquire: pairs with the release in disown */
        if (!atomic_load_explicit(&local->owned, memory_order_acquire)) {
            local_free(local);
        }
    }
    atomic_store_explicit(&pool->locals, NULL, memory_order_relaxed);
    put_retired(pool);
    mutex_unlock(&registry.lock);
}

/* ---- Ageing --------------------------------------------------------------------------------- */

/* Claims the stacks of all threads; without a barrier in the kernel, only the caller's own. */
static void spill_stacks(struct pm_pool *pool, unsigned which)
{
    struct pool_local *first = atomic_load_explicit(&pool->locals, memory_order_acquire);
    struct pool_local *own = local_at(pool->place); /* or not this pool's: in no list here */
    bool others = false;
    for (struct pool_local *local = first; local != NULL; local = local->next) {
        others |= local_claim(local) && local != own;
    }
    bool visible = !others || local_barrier();
    for (struct pool_local *local = first; local != NULL; local = local->next) {
        if (atomic_load_explicit(&local->gate, memory_order_relaxed) != GATE_CLAIMED) {
            continue;
        }
        if ((visible || local == own) && local_is_claimed(local)) {
            local_spill(local, which);
            chain_trim(&local->chains[which ^ 1]);
            local_unclaim(local, GATE_SPILLED);
        } else {
            local_unclaim(local, GATE_CLOSED);
        }
    }
}

/* One generation: the victims go, the fresh and private stock become victims. */
static void turn_generation(struct pm_pool *pool)
{
    unsigned fresh = pool_fresh(pool);
    pool_empty_chains(pool, fresh ^ 1);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_relaxed);
    spill_stacks(pool, fresh);
}

static void drain(struct pm_pool *pool)
{
    for (int i = 0; i < AGES_TO_EMPTY; i++) {
        turn_generation(pool);
    }
}

static void age(struct pm_pool *pool, uint32_t now)
{
    if (!mutex_try_lock(&pool->age_lock)) {
        return;
    }
    /* Below 0: another thread saw a later tick and was here first. */
    int32_t elapsed = (int32_t)(now - atomic_load_explicit(&pool->aged_tick, memory_order_relaxed));
    for (int32_t i = 0; !pool->keeps_all && i < elapsed && i < AGES_TO_EMPTY; i++) {
        turn_generation(pool);
    }
    if (elapsed > 0) {
        /* release: pairs with the acquire in settle, which comes after it */
        atomic_store_explicit(&pool->aged_tick, now, memory_order_release);
    }
    mutex_unlock(&pool->age_lock);
}

static void age_pools_without_callbacks(uint32_t now)
{
    if (!mutex_try_lock(&registry.lock)) {
        return;
    }
    for (uint32_t i = 0; i < registry.count; i++) {
        struct pm_pool *pool = registry.pools[i];
        if (pool->state == POOL_LIVE && !pool->has_callbacks_for_aging) {
            age(pool, now);
        }
    }
    mutex_unlock(&registry.lock);
}

void pool_notice_tick(struct pm_pool *pool)
{
    uint32_t now = tick_count();
    /* relaxed: exactly one caller sees the old value and ages all */
    if (atomic_load_explicit(&noticed_tick, memory_order_relaxed) != now &&
        atomic_exchange_explicit(&noticed_tick, now, memory_order_relaxed) != now) {
        age_pools_without_callbacks(now);
    }
    if (atomic_load_explicit(&pool->aged_tick, memory_order_relaxed) != now) {
        age(pool, now);
    }
}

/* ---- The caller's local --------------------------------------------------------------------- */

static struct pool_local *adopt(struct pm_pool *pool)
{
    struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_acquire);
    for (; local != NULL; local = local->next) {
        bool owned = atomic_load_explicit(&local->owned, memory_order_relaxed);
        if (!owned &&
            atomic_compare_exchange_strong_explicit(&local->owned, &owned, true,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return local;
        }
    }
    return NULL;
}

static struct pool_local *add_local(struct pm_pool *pool)
{
    struct pool_local *local =
        local_create(pool, !pool->counts_objects, pool->options.reset == NULL);
    if (local == NULL) {
        return NULL;
    }
    local->next = atomic_load_explicit(&pool->locals, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->locals, &local->next, local,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    return local;
}

static struct pool_local *join_pool(struct pm_pool *pool)
{
    struct pool_local *local = adopt(pool);
    if (local == NULL) {
        local = add_local(pool);
    }
    if (local != NULL && !table_insert(pool->place, local)) {
        atomic_store_explicit(&local->owned, false, memory_order_release);
        return NULL;
    }
    return local;
}

/* Entered. Spills what was left from before this tick, unless an ager has done it or is about to.
 */
static void settle(struct pm_pool *pool, struct pool_local *local, uintptr_t gate)
{
    /* acquire: pairs with the release in age */
    uint32_t now = atomic_load_explicit(&pool->aged_tick, memory_order_acquire);
    if (gate == (uintptr_t)pool || now != tick_count()) {
        return;
    }
    if (gate == GATE_CLOSED) {
        unsigned fresh = pool_fresh(pool);
        local_spill(local, fresh ^ 1);
        chain_trim(&local->chains[fresh]);
    }
    /* An ager that claimed in between keeps its claim: it sees us inside and gives it back. A tick
     * in between finds the gate open, or is seen here; hence seq_cst. */
    atomic_compare_exchange_strong(&local->gate, &gate, (uintptr_t)pool);
    if (atomic_load(&tick_now) != now) {
        local_close(local, pool);
    }
}

struct pool_local *pool_local_ready(struct pm_pool *pool)
{
    struct pool_local *local = local_at(pool->place);
    if (local->pool != pool) {
        local = join_pool(pool);
    }
    if (local != NULL) {
        settle(pool, local, local_enter_slow(local));
    }
    return local;
}

/* ---- Drain ---------------------------------------------------------------------------------- */

PUBLIC void pm_pool_drain(pm_pool *pool)
{
    if (pool->state == POOL_DESTROYED) {
        pool_use_after_destroy(pool);
    }
    if (pool->state == POOL_FIXED) {
        return;
    }
    if (!mutex_try_lock(&pool->age_lock)) {
        /* Somebody is ageing, maybe this thread in a callback: the stacks are in its hands. */
        pool_empty_chains(pool, 0);
        pool_empty_chains(pool, 1);
        return;
    }
    drain(pool);
    mutex_unlock(&pool->age_lock);
}

void pool_drain_all(void)
{
    mutex_lock(&registry.lock);
    for (uint32_t i = 0; i < registry.count; i++) {
        struct pm_pool *pool = registry.pools[i];
        bool drains = pool->state == POOL_LIVE && !pool->has_callbacks_for_aging;
        if (drains && !pool->keeps_all && mutex_try_lock(&pool->age_lock)) {
            drain(pool);
            mutex_unlock(&pool->age_lock);
        }
    }
    mutex_unlock(&registry.lock);
}
