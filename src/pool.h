/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An object pool: what get and put, ageing and the registry of all pools share.
 *
 * A get looks, in this order, at: the private stock; the own fresh chain; other threads' fresh
 * chains; the own victims; other threads' victims; and then constructs. A put fills the private
 * stock, then the own fresh chain.
 *
 * Locks: the registry's guards it, and holds off destruction while an ager or an ending
 * thread walks it; under it only age_lock is tried. age_lock, only ever tried, lets one ager at a
 * time into a pool; callbacks may run under it, which is why nobody waits for it. Neither is held
 * across fork: the child frees those of threads that are gone, see pool_registry.c.
 * Cost: a get and a put that stay in the private place are 16 and 17 instructions and no atomic
 * read-modify-write. */
#ifndef POOLMALLOC_POOL_H
#define POOLMALLOC_POOL_H

#include "mutex.h"
#include "pool_local.h"
#include "poolmalloc.h"

enum pool_state { POOL_DESTROYED, POOL_LIVE, POOL_FIXED };

struct pool_fixed;

struct pm_pool {
    pm_pool_options options;
    enum pool_state state;
    struct pm_pool *next_retired; /* guarded by the registry's lock */
    bool counts_objects;          /* a limit or size_of: every object passes stock_in and _out */
    bool has_callbacks_for_aging; /* then only calls of this very pool age it */
    bool keeps_all;               /* never ages: late users of an object still find its memory */
    struct pool_fixed *fixed;
    _Atomic(struct pool_local *) locals; /* list: push only, until destroy */
    _Atomic uint32_t generation;         /* chains[generation & 1] are fresh, the others victims */
    _Atomic uint32_t aged_tick;          /* written under age_lock */
    struct mutex age_lock;
    _Atomic uint64_t counts[POOL_COUNTS]; /* of threads without a local */
    _Atomic uint64_t aged;                /* objects let go by age or drain */
    _Atomic uint64_t stock_count;         /* if counts_objects */
    _Atomic uint64_t stock_bytes;         /* if counts_objects and size_of */
    uintptr_t put_gate; /* what a local's gate must be for fast puts: the pool, or GATE_NONE */
    /* Below: const, as pool structs are reused, never freed. */
    uint64_t place;  /* local_place(number) */
    uint32_t number; /* in the registry */
};

/* relaxed: who reads it late pushes into victims, or looks at the emptier chain first */
static inline unsigned pool_fresh(const struct pm_pool *pool)
{
    return atomic_load_explicit(&pool->generation, memory_order_relaxed) & 1;
}

/* pm_pool_create, but for pool_publish: the caller may set more before. */
struct pm_pool *pool_prepare(const pm_pool_options *options);

/* Ends the process. */
COLD NORETURN void pool_use_after_destroy(const struct pm_pool *pool);

/* pool_stock.c: the objects. */

/* local: or NULL, then the pool's own counter. */
void pool_count(struct pm_pool *pool, struct pool_local *local, enum pool_count which);
/* Takes an object from any stock. local: entered, or NULL. Returns NULL when all are empty. */
void *pool_take(struct pm_pool *pool, struct pool_local *local);
/* Stores an object at an entered local. False: no room, let it go. */
bool pool_store(struct pm_pool *pool, struct pool_local *local, void *object);
/* Counts an object into or out of a pool with limits. False: a limit forbids it. */
bool pool_stock_in(struct pm_pool *pool, void *object);
void pool_stock_out(struct pm_pool *pool, void *object);
/* Destructs and frees an object. Runs a callback. */
void pool_let_go(struct pm_pool *pool, void *object);
/* Lets go of all that the chains[which] of every thread hold. Runs callbacks. */
void pool_empty_chains(struct pm_pool *pool, unsigned which);

/* pool_registry.c */

/* A pool struct in the registry with a number, all else zero; or NULL. */
struct pm_pool *pool_register(void);
/* From now on threads may have locals, and the pool ages. */
void pool_publish(struct pm_pool *pool);
/* Ends the pool's life: late calls are noticed, nobody ages it. Fatal when it has ended before. */
void pool_unregister(struct pm_pool *pool);
/* Gives back the locals of an emptied pool; the struct may be used again. */
void pool_retire(struct pm_pool *pool);
/* Calls `visit` for every pool that ages without running callbacks. The second only if the lock is
 * free: callable by whoever may hold it. */
void pools_visit(void (*visit)(struct pm_pool *));
void pools_try_visit(void (*visit)(struct pm_pool *));

/* pool_age.c: time. */

/* Ages this pool, and every pool without callbacks, if a tick has passed. Runs callbacks. */
void pool_notice_tick(struct pm_pool *pool);
/* Empties every pool that needs no callbacks for it, for malloc_trim. */
void pool_drain_all(void);
/* The calling thread's local, entered and settled for this tick; NULL: none to be had. */
struct pool_local *pool_local_ready(struct pm_pool *pool);

/* pool_fixed.c. thread: below 8, of the caller; threads with different ones seldom meet. */

void *fixed_get(struct pool_fixed *fixed, uint32_t thread);
void fixed_put(struct pool_fixed *fixed, uint32_t thread, void *block);
void fixed_destroy(struct pool_fixed *fixed);
pm_pool_stats fixed_stats(const struct pool_fixed *fixed);

#endif
