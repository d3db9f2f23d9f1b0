/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource_stock.h"

#include "misuse.h"
#include "os.h"
#include "panic.h"

#include <string.h>

enum { IDLE_FIRST = 8 };

void resource_lock(struct pm_resources *pool)
{
    mutex_lock(&pool->lock);
    if (unlikely(pool->is_destroyed)) {
        panic_at(FATAL_RESOURCES_DESTROYED, pool, 0, NULL);
    }
}

void resource_lock_with_room(struct pm_resources *pool)
{
    resource_lock(pool);
    while (pool->idle_count == pool->idle_capacity) {
        size_t capacity = pool->idle_capacity == 0 ? IDLE_FIRST : pool->idle_capacity * 2;
        mutex_unlock(&pool->lock);
        struct idle *idle = pm_reallocarray(NULL, capacity, sizeof(idle[0]));
        struct idle *old = idle;
        resource_lock(pool);
        if (idle == NULL) {
            return;
        }
        if (pool->idle_capacity < capacity) { /* nobody else was here meanwhile */
            old = pool->idle;
            if (old != NULL) {
                memcpy(idle, old, pool->idle_count * sizeof(idle[0]));
            }
            pool->idle = idle;
            pool->idle_capacity = capacity;
        }
        mutex_unlock(&pool->lock);
        pm_free(old);
        resource_lock(pool);
    }
}

static bool may_open(const struct pm_resources *pool) REQUIRES(pool->lock)
{
    size_t limit = pool->options.max_open;
    return limit == 0 || pool->in_use + pool->idle_count < limit;
}

static void add_waiter(struct pm_resources *pool, struct waiter *waiter) REQUIRES(pool->lock)
{
    if (pool->last_waiter != NULL) {
        pool->last_waiter->next = waiter;
    } else {
        pool->first_waiter = waiter;
    }
    pool->last_waiter = waiter;
}

void resource_remove_waiter(struct pm_resources *pool, struct waiter *waiter)
{
    struct waiter *previous = NULL;
    for (struct waiter *each = pool->first_waiter; each != waiter; each = each->next) {
        previous = each;
    }
    if (previous != NULL) {
        previous->next = waiter->next;
    } else {
        pool->first_waiter = waiter->next;
    }
    if (pool->last_waiter == waiter) {
        pool->last_waiter = previous;
    }
}

/* Ends the wait of the first waiter. It may return before the wake-up: that finds nobody then. */
static void answer_first(struct pm_resources *pool, enum answer answer, void *resource)
    REQUIRES(pool->lock)
{
    struct waiter *waiter = pool->first_waiter;
    resource_remove_waiter(pool, waiter);
    waiter->resource = resource;
    _Atomic uint32_t *word = &waiter->answer;
    atomic_store_explicit(word, answer, memory_order_release);
    os_wake(word, 1);
}

void resource_leave_place(struct pm_resources *pool)
{
    if (pool->in_use > 0) { /* 0: got before a fork, given back in the child */
        pool->in_use--;
    }
    if (pool->first_waiter != NULL && may_open(pool)) {
        pool->in_use++;
        answer_first(pool, ANSWER_PERMISSION, NULL);
    }
}

bool resource_make_idle(struct pm_resources *pool, void *resource)
{
    size_t limit = pool->options.max_idle != 0 ? pool->options.max_idle : pool->options.max_open;
    if ((limit != 0 && pool->idle_count >= limit) || pool->idle_count == pool->idle_capacity) {
        return false;
    }
    pool->idle[pool->idle_count++] = (struct idle){resource, os_now_ms()};
    return true;
}

size_t resource_take_expired(struct pm_resources *pool, void **resources)
{
    uint32_t timeout_ms = pool->options.idle_timeout_ms;
    size_t count = 0;
    if (!pool->closed && timeout_ms == 0) {
        return 0;
    }
    uint64_t now_ms = os_now_ms();
    while (count < CLOSE_BATCH && count < pool->idle_count &&
           (pool->closed || now_ms - pool->idle[count].since_ms > timeout_ms)) {
        resources[count] = pool->idle[count].resource;
        count++;
    }
    if (count == 0) {
        return 0;
    }
    pool->idle_count -= count;
    memmove(pool->idle, pool->idle + count, pool->idle_count * sizeof(pool->idle[0]));
    pool->stats.closed_expired += pool->closed ? 0 : count;
    return count;
}

bool resource_is_idle(const struct pm_resources *pool, const void *resource)
{
    for (size_t i = pool->idle_count; i > 0; i--) {
        if (pool->idle[i - 1].resource == resource) {
            return true;
        }
    }
    return false;
}

bool resource_take_back(struct pm_resources *pool, void *resource)
{
    if (pool->closed) {
        return false;
    }
    if (pool->first_waiter != NULL) {
        answer_first(pool, ANSWER_RESOURCE, resource);
        return true;
    }
    if (!resource_make_idle(pool, resource)) {
        pool->stats.closed_idle++;
        return false;
    }
    if (pool->in_use > 0) {
        pool->in_use--;
    }
    return true;
}

bool resource_decide(struct pm_resources *pool, struct waiter *waiter, enum answer *answer,
                     int timeout_ms)
{
    if (pool->closed) {
        *answer = ANSWER_CLOSED;
    } else if (pool->idle_count > 0) {
        waiter->resource = pool->idle[--pool->idle_count].resource;
        pool->in_use++;
        *answer = ANSWER_RESOURCE;
    } else if (may_open(pool)) {
        pool->in_use++;
        *answer = ANSWER_PERMISSION;
    } else {
        pool->stats.waits++;
        *answer = ANSWER_NONE;
        if (timeout_ms != 0) {
            add_waiter(pool, waiter);
            return false;
        }
    }
    return true;
}

void resource_refuse_waiters(struct pm_resources *pool)
{
    while (pool->first_waiter != NULL) {
        answer_first(pool, ANSWER_CLOSED, NULL);
    }
}
