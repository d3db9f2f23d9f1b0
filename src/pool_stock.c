/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the objects of a pool are looked for, kept, and let go. See pool.h. */
#include "pool.h"

#include "panic.h"

#include <string.h>

enum {
    POP_BATCH = LOCAL_STACK_OBJECTS / 2, /* own chain -> stack: half, so that puts find room too */
    STEAL_BATCH = 4,                     /* fewer: what is stolen is missing elsewhere */
    STEAL_TRIES = 32,                    /* neighbours asked per get, so that a miss is bounded */
};

/* One batch out of a chain: the last object is the result, the rest goes on the empty stack. */
static void *keep_rest(struct pool_local *local, void **objects, uint32_t count)
{
    if (count == 0) {
        return NULL;
    }
    if (local != NULL && count > 1) {
        memcpy(local->stack, objects, (count - 1) * sizeof(objects[0]));
        local->stack_count = count - 1;
    }
    return objects[count - 1];
}

static uint32_t batch_for(const struct pool_local *local, uint32_t batch)
{
    return local == NULL || local->pool->counts_objects ? 1 : batch;
}

static void *pop_own(struct pool_local *local, unsigned which, uint32_t batch)
{
    void *objects[POP_BATCH];
    return keep_rest(local, objects, chain_pop(&local->chains[which], objects, batch));
}

/* Asks some neighbours in turn, starting where the last theft succeeded. */
static void *steal(struct pm_pool *pool, struct pool_local *local, unsigned which, uint32_t batch)
{
    /* acquire: pairs with the release in add_local */
    struct pool_local *first = atomic_load_explicit(&pool->locals, memory_order_acquire);
    struct pool_local *from = local != NULL && local->neighbour != NULL ? local->neighbour : first;
    struct pool_local *start = from;
    for (int tries = 0; from != NULL && tries < STEAL_TRIES; tries++) {
        void *objects[STEAL_BATCH];
        uint32_t count = from == local ? 0 : chain_steal(&from->chains[which], objects, batch);
        if (local != NULL) {
            local->neighbour = from;
        }
        if (count > 0) {
            return keep_rest(local, objects, count);
        }
        from = from->next != NULL ? from->next : first;
        if (from == start) {
            return NULL;
        }
    }
    return NULL;
}

void pool_count(struct pm_pool *pool, struct pool_local *local, enum pool_count which)
{
    if (local != NULL) {
        local->counts[which]++;
    } else {
        atomic_fetch_add_explicit(&pool->counts[which], 1, memory_order_relaxed);
    }
}

static void *take_stolen(struct pm_pool *pool, struct pool_local *local, unsigned fresh)
{
    void *object = steal(pool, local, fresh, batch_for(local, STEAL_BATCH));
    if (object != NULL) {
        pool_count(pool, local, COUNT_STEALS);
    }
    return object;
}

/* One at a time: what is not wanted must be able to age. */
static void *take_victim(struct pm_pool *pool, struct pool_local *local, unsigned victim)
{
    void *object = local == NULL ? NULL : pop_own(local, victim, 1);
    if (object == NULL) {
        object = steal(pool, local, victim, 1);
        if (object == NULL) {
            return NULL;
        }
        pool_count(pool, local, COUNT_STEALS);
    }
    pool_count(pool, local, COUNT_RESCUES);
    return object;
}

void *pool_take(struct pm_pool *pool, struct pool_local *local)
{
    pm_assert(local == NULL || local_is_entered(local));
    unsigned fresh = pool_fresh(pool);
    void *object = local == NULL ? NULL : local_take(local);
    if (object == NULL && local != NULL) {
        object = pop_own(local, fresh, batch_for(local, POP_BATCH));
    }
    if (object == NULL) {
        object = take_stolen(pool, local, fresh);
    }
    if (object == NULL) {
        object = take_victim(pool, local, fresh ^ 1);
    }
    pool_count(pool, local, COUNT_GETS);
    if (object == NULL) {
        pool_count(pool, local, COUNT_MISSES);
    }
    return object;
}

bool pool_store(struct pm_pool *pool, struct pool_local *local, void *object)
{
    pm_assert(local_is_entered(local));
    unsigned fresh = pool_fresh(pool);
    if (pool->counts_objects) {
        return chain_push(&local->chains[fresh], &object, 1) == 1;
    }
    return local_put(local, object) ||
           (local_spill_oldest(local, fresh, LOCAL_STACK_OBJECTS / 2) != 0 &&
            local_put(local, object));
}

bool pool_stock_in(struct pm_pool *pool, void *object)
{
    const pm_pool_options *options = &pool->options;
    size_t bytes = options->size_of == NULL ? 0 : options->size_of(object, options->context);
    if (options->max_retained_bytes != 0 && bytes > options->max_retained_bytes) {
        return false;
    }
    uint64_t before = atomic_fetch_add_explicit(&pool->stock_count, 1, memory_order_relaxed);
    if (options->max_retained_objects != 0 && before >= options->max_retained_objects) {
        atomic_fetch_sub_explicit(&pool->stock_count, 1, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add_explicit(&pool->stock_bytes, bytes, memory_order_relaxed);
    return true;
}

void pool_stock_out(struct pm_pool *pool, void *object)
{
    const pm_pool_options *options = &pool->options;
    size_t bytes = options->size_of == NULL ? 0 : options->size_of(object, options->context);
    atomic_fetch_sub_explicit(&pool->stock_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&pool->stock_bytes, bytes, memory_order_relaxed);
}

void pool_let_go(struct pm_pool *pool, void *object)
{
    if (pool->options.destruct != NULL) {
        pool->options.destruct(object, pool->options.context);
    }
    if (pool->options.object_bytes != 0) {
        pm_free(object);
    }
}

static void empty_chain(struct pm_pool *pool, struct chain *chain)
{
    void *objects[POP_BATCH];
    uint32_t taken;
    while ((taken = chain_steal(chain, objects, POP_BATCH)) > 0) {
        atomic_fetch_add_explicit(&pool->aged, taken, memory_order_relaxed);
        for (uint32_t i = 0; i < taken; i++) {
            if (pool->counts_objects) {
                pool_stock_out(pool, objects[i]);
            }
            pool_let_go(pool, objects[i]);
        }
    }
}

void pool_empty_chains(struct pm_pool *pool, unsigned which)
{
    struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_acquire);
    for (; local != NULL; local = local->next) {
        empty_chain(pool, &local->chains[which]);
    }
}
