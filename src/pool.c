/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include "bits.h"
#include "self.h"

#include <errno.h>
#include <string.h>

enum { DEFAULT_ALIGNMENT = 16 };

/* ---- Get ------------------------------------------------------------------------------------ */

COLD NOINLINE static void *construct(struct pm_pool *pool)
{
    const pm_pool_options *options = &pool->options;
    void *memory = NULL;
    if (options->object_bytes != 0) {
        memory = pm_aligned_alloc(options->alignment, options->object_bytes);
        if (memory == NULL) {
            return NULL;
        }
    }
    if (options->construct == NULL) {
        if (memory == NULL) {
            errno = EAGAIN;
            return NULL;
        }
        return memset(memory, 0, options->object_bytes);
    }
    void *object = options->construct(memory, options->context);
    if (object == NULL) {
        pm_free(memory);
    }
    return object;
}

/* Threads' variables lie megabytes apart, or a kilobyte: the product spreads both. */
static uint32_t thread_number(void)
{
    return self_number() * UINT32_C(2654435769) >> 29;
}

NOINLINE static void *get_slow(struct pm_pool *pool)
{
    if (pool->state == POOL_FIXED) {
        return fixed_get(pool->fixed, thread_number());
    }
    if (pool->state == POOL_DESTROYED) {
        pool_use_after_destroy(pool);
    }
    pool_notice_tick(pool);
    struct pool_local *local = pool_local_ready(pool);
    void *object = pool_take(pool, local);
    if (local != NULL) {
        local_leave(local);
    }
    if (object == NULL) {
        return construct(pool);
    }
    if (pool->counts_objects) {
        pool_stock_out(pool, object);
    }
    return object;
}

PUBLIC HOT void *pm_pool_get(pm_pool *pool)
{
    struct pool_local *local = local_at(pool->place);
    local_enter(local);
    if (likely(local_gate(local) == (uintptr_t)pool)) {
        void *object = local_take(local);
        if (likely(object != NULL)) {
            local->counts[COUNT_GETS]++;
            local_leave(local);
            return object;
        }
    }
    local_leave(local);
    return get_slow(pool);
}

/* ---- Put ------------------------------------------------------------------------------------ */

/* size_of runs before and after, never while a local is entered. */
static bool store(struct pm_pool *pool, void *object)
{
    bool fits = !pool->counts_objects || pool_stock_in(pool, object);
    struct pool_local *local = pool_local_ready(pool);
    bool stored = fits && local != NULL && pool_store(pool, local, object);
    pool_count(pool, local, COUNT_PUTS);
    if (!stored) {
        pool_count(pool, local, COUNT_DROPS);
    }
    if (local != NULL) {
        local_leave(local);
    }
    if (fits && !stored && pool->counts_objects) {
        pool_stock_out(pool, object);
    }
    return stored;
}

/* False: not stored, see the slow path. */
static ALWAYS_INLINE bool put_fast(struct pm_pool *pool, uintptr_t gate, void *object)
{
    struct pool_local *local = local_at(pool->place);
    bool is_stored = false;
    local_enter(local);
    if (likely(local_gate(local) == gate)) {
        is_stored = local_put(local, object);
        local->counts[COUNT_PUTS] += is_stored;
    }
    local_leave(local);
    return is_stored;
}

static void put_live(struct pm_pool *pool, void *object)
{
    if (pool->options.reset != NULL) {
        pool->options.reset(object, pool->options.context);
        if (!pool->counts_objects && put_fast(pool, (uintptr_t)pool, object)) {
            return;
        }
    }
    pool_notice_tick(pool);
    if (!store(pool, object)) {
        pool_let_go(pool, object);
    }
}

NOINLINE static void put_slow(struct pm_pool *pool, void *object)
{
    int saved_errno = errno;
    if (pool->state == POOL_FIXED) {
        fixed_put(pool->fixed, thread_number(), object);
    } else if (pool->state == POOL_DESTROYED) {
        pool_use_after_destroy(pool);
    } else {
        put_live(pool, object);
    }
    errno = saved_errno;
}

PUBLIC HOT void pm_pool_put(pm_pool *pool, void *object)
{
    if (unlikely(object == NULL) || likely(put_fast(pool, pool->put_gate, object))) {
        return;
    }
    put_slow(pool, object);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool is_valid(const pm_pool_options *options)
{
    return (options->alignment == 0 || is_power_of_two(options->alignment)) &&
           (options->max_retained_bytes == 0 || options->size_of != NULL);
}

struct pm_pool *pool_prepare(const pm_pool_options *options)
{
    static const pm_pool_options defaults = {0};
    options = options == NULL ? &defaults : options;
    if (!is_valid(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct pm_pool *pool = pool_register();
    if (pool == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    pool->options = *options;
    if (pool->options.alignment < DEFAULT_ALIGNMENT) {
        pool->options.alignment = DEFAULT_ALIGNMENT;
    }
    pool->counts_objects = options->size_of != NULL || options->max_retained_objects != 0;
    if (options->reset == NULL && !pool->counts_objects) {
        pool->put_gate = (uintptr_t)pool;
    }
    pool->has_callbacks_for_aging = options->destruct != NULL || options->size_of != NULL;
    return pool;
}

PUBLIC pm_pool *pm_pool_create(const pm_pool_options *options)
{
    struct pm_pool *pool = pool_prepare(options);
    if (pool != NULL) {
        pool_publish(pool);
    }
    return pool;
}

/* Nobody else is in the pool: every stack may be read. */
static void destroy_objects(struct pm_pool *pool)
{
    struct pool_local *first = atomic_load_explicit(&pool->locals, memory_order_acquire);
    pool_empty_chains(pool, 0);
    pool_empty_chains(pool, 1);
    for (struct pool_local *local = first; local != NULL; local = local->next) {
        void *object;
        /* Inside: in a forked child, the owner is gone. What it had there is lost. */
        while (!local_is_entered(local) && (object = local_take(local)) != NULL) {
            pool_let_go(pool, object);
        }
    }
}

PUBLIC void pm_pool_destroy(pm_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    struct pool_fixed *fixed = pool->fixed;
    pool_unregister(pool);
    if (fixed != NULL) {
        fixed_destroy(fixed);
    }
    destroy_objects(pool);
    pool_retire(pool);
}

/* ---- Statistics ----------------------------------------------------------------------------- */

/* Threads count without atomic operations: what they add meanwhile may be missed. */
NO_SANITIZE_THREAD static uint64_t sum(const struct pm_pool *pool, enum pool_count which)
{
    uint64_t total = atomic_load_explicit(&pool->counts[which], memory_order_relaxed);
    struct pool_local *local = atomic_load_explicit(&pool->locals, memory_order_acquire);
    for (; local != NULL; local = local->next) {
        total += local->counts[which];
    }
    return total;
}

PUBLIC pm_pool_stats pm_pool_get_stats(const pm_pool *pool)
{
    if (pool->state == POOL_DESTROYED) {
        pool_use_after_destroy(pool);
    }
    if (pool->state == POOL_FIXED) {
        return fixed_stats(pool->fixed);
    }
    pm_pool_stats stats = {
        .gets = sum(pool, COUNT_GETS),
        .misses = sum(pool, COUNT_MISSES),
        .steals = sum(pool, COUNT_STEALS),
        .rescues = sum(pool, COUNT_RESCUES),
        .puts = sum(pool, COUNT_PUTS),
        .drops = sum(pool, COUNT_DROPS),
        .aged = atomic_load_explicit(&pool->aged, memory_order_relaxed),
    };
    stats.hits = minus(stats.gets, stats.misses);
    stats.retained_objects = minus(stats.puts, stats.drops + stats.hits + stats.aged);
    stats.retained_bytes = pool->options.size_of != NULL
                               ? atomic_load_explicit(&pool->stock_bytes, memory_order_relaxed)
                               : stats.retained_objects * pool->options.object_bytes;
    return stats;
}
