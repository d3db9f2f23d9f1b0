/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools in time: generations, and who has which local. See pool.h. */
#include "pool.h"

enum { AGES_TO_EMPTY = 2 }; /* generations after which nothing unused is left */

static _Atomic uint32_t noticed_tick; /* at which somebody last aged all pools */

/* ---- Ageing --------------------------------------------------------------------------------- */

/* Claims the stacks of all threads; without a barrier in the kernel, only the caller's own. */
static void spill_stacks(struct pm_pool *pool, unsigned which)
{
    struct pool_local *first = atomic_load_explicit(&pool->locals, memory_order_acquire);
    struct pool_local *own = table_find(pool->number, pool);
    bool others = false;
    for (struct pool_local *local = first; local != NULL; local = local->next) {
        others |= local_claim(local) && local != own;
    }
    bool visible = !others || local_barrier();
    for (struct pool_local *local = first; local != NULL; local = local->next) {
        if (atomic_load_explicit(&local->gate, memory_order_relaxed) != GATE_CLAIMED) {
            continue;
        }
        if ((visible || local == own) && local_enter_claimed(local)) {
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

static void age_now(struct pm_pool *pool)
{
    age(pool, tick_count());
}

void pool_notice_tick(struct pm_pool *pool)
{
    uint32_t now = tick_count();
    /* relaxed: exactly one caller sees the old value and ages all */
    if (atomic_load_explicit(&noticed_tick, memory_order_relaxed) != now &&
        atomic_exchange_explicit(&noticed_tick, now, memory_order_relaxed) != now) {
        pools_try_visit(age_now);
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
    struct pool_local *local = local_create(pool);
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
    if (local != NULL && !table_insert(pool->number, local)) {
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
    if (gate == (uintptr_t)pool) {
        return;
    }
    if (now != tick_count()) {
        /* What is stored meanwhile is to be spilled. */
        atomic_compare_exchange_strong(&local->gate, &(uintptr_t){GATE_SPILLED}, GATE_CLOSED);
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
        local = table_find(pool->number, pool);
        if (local != NULL) {
            table_put_in_place(pool->number, local);
        } else {
            local = join_pool(pool);
        }
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

static void drain_unless_busy(struct pm_pool *pool)
{
    if (!pool->keeps_all && mutex_try_lock(&pool->age_lock)) {
        drain(pool);
        mutex_unlock(&pool->age_lock);
    }
}

void pool_drain_all(void)
{
    pools_visit(drain_unless_busy);
}
