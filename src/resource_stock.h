/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool of resources that must not vanish: its state, and what is decided under its lock.
 *
 *     idle      | oldest | ... | newest |     given out from the right, expire from the left
 *     waiters   first -> ... -> last          threads that found max_open in use, first come first
 *
 * Invariants
 *  1. in_use counts what is out, and what is being opened, validated or closed for an owner.
 *  2. in_use + idle_count <= max_open.
 *  3. While somebody waits nothing is idle: put hands over directly.
 *
 * A waiter is given a resource, or the permission to open one when a place has become free.
 * Source: fatih/pool (callbacks, limits), Go's database/sql (MaxOpen, MaxIdle, the request queue).
 */
#ifndef POOLMALLOC_RESOURCE_STOCK_H
#define POOLMALLOC_RESOURCE_STOCK_H

#include "compiler.h"
#include "mutex.h"
#include "poolmalloc.h"

#include <stdatomic.h>

enum { CLOSE_BATCH = 8 };

enum answer {
    ANSWER_NONE,       /* still waiting */
    ANSWER_RESOURCE,   /* given */
    ANSWER_PERMISSION, /* may open one; counted in in_use already */
    ANSWER_CLOSED,
};

struct waiter {
    struct waiter *next;
    void *resource;
    _Atomic uint32_t answer; /* written once under the lock; release pairs with acquire */
};

struct idle {
    void *resource;
    uint64_t since_ms;
};

struct pm_resources {
    pm_resources_options options; /* const */
    struct pm_resources *next;    /* of all pools; guarded by registry.lock */
    struct mutex lock;            /* guards all below */
    bool closed;
    bool is_destroyed;
    size_t in_use;
    struct idle *idle;
    size_t idle_count;
    size_t idle_capacity;
    struct waiter *first_waiter;
    struct waiter *last_waiter;
    pm_resources_stats stats;
};

/* Is it idle, and so nobody's to put? */
bool resource_is_idle(const struct pm_resources *pool, const void *resource) REQUIRES(pool->lock);
/* Takes a resource back: for the first waiter, or idle. False: the caller must close it. */
bool resource_take_back(struct pm_resources *pool, void *resource) REQUIRES(pool->lock);
/* Makes a resource idle, whoever waits. False: too many, or no room. */
bool resource_make_idle(struct pm_resources *pool, void *resource) REQUIRES(pool->lock);
/* Locks, with room for one more idle resource if memory allows. Memory is allocated before, as the
 * program may be asked to free some then, and may want this pool. */
void resource_lock_with_room(struct pm_resources *pool) ACQUIRES(pool->lock);
/* Ends the process if the pool is destroyed. */
void resource_lock(struct pm_resources *pool) ACQUIRES(pool->lock);
/* Somebody's place in in_use has become free. */
void resource_leave_place(struct pm_resources *pool) REQUIRES(pool->lock);
/* Takes up to CLOSE_BATCH expired resources out, or any when the pool is closed. */
size_t resource_take_expired(struct pm_resources *pool, void **resources) REQUIRES(pool->lock);
/* Decides what a get does. True: *answer is it. False: the waiter is in line. */
bool resource_decide(struct pm_resources *pool, struct waiter *waiter, enum answer *answer,
                     int timeout_ms) REQUIRES(pool->lock);
void resource_remove_waiter(struct pm_resources *pool, struct waiter *waiter) REQUIRES(pool->lock);
void resource_refuse_waiters(struct pm_resources *pool) REQUIRES(pool->lock);

#endif
