/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public side of resource pools: callbacks, waiting, life, fork. No lock is held while a
 * callback runs or a thread sleeps: opening a connection takes a million times longer than deciding
 * to. */
#include "resource_stock.h"

#include "misuse.h"
#include "os.h"

#include <errno.h>

static struct {
    struct mutex lock;
    struct pm_resources *first;
} registry;

/* ---- Fork ----------------------------------------------------------------------------------- */

/* In the child no other thread exists: nobody waits, nothing is being opened. */
static void after_fork_in_child(void) NO_THREAD_SAFETY_ANALYSIS
{
    (void)mutex_abandon(&registry.lock);
    for (struct pm_resources *pool = registry.first; pool != NULL; pool = pool->next) {
        if (mutex_abandon(&pool->lock)) {
            pool->idle = NULL; /* its array may have been moving */
            pool->idle_capacity = 0;
        }
        pool->in_use = 0;
        pool->idle_count = 0;
        pool->first_waiter = NULL;
        pool->last_waiter = NULL;
    }
}

/* ---- Closing -------------------------------------------------------------------------------- */

static void close_one(struct pm_resources *pool, void *resource)
{
    pool->options.close(resource, pool->options.context);
}

PUBLIC size_t pm_resources_close_expired(pm_resources *pool)
{
    void *resources[CLOSE_BATCH];
    size_t total = 0;
    size_t count;
    do {
        resource_lock(pool);
        count = resource_take_expired(pool, resources);
        mutex_unlock(&pool->lock);
        for (size_t i = 0; i < count; i++) {
            close_one(pool, resources[i]);
        }
        total += count;
    } while (count == CLOSE_BATCH);
    return total;
}

PUBLIC void pm_resources_discard(pm_resources *pool, void *resource)
{
    if (resource == NULL) {
        return;
    }
    int saved_errno = errno;
    close_one(pool, resource);
    resource_lock(pool);
    pool->stats.closed_invalid++;
    resource_leave_place(pool);
    mutex_unlock(&pool->lock);
    errno = saved_errno;
}

PUBLIC void pm_resources_put(pm_resources *pool, void *resource)
{
    if (resource == NULL) {
        return;
    }
    int saved_errno = errno;
    resource_lock_with_room(pool);
    bool is_twice = resource_is_idle(pool, resource);
    bool taken = is_twice || resource_take_back(pool, resource);
    mutex_unlock(&pool->lock);
    if (is_twice) {
        misuse(MISUSE_DOUBLE_RESOURCE, resource);
    } else if (!taken) {
        close_one(pool, resource);
        resource_lock(pool);
        resource_leave_place(pool);
        mutex_unlock(&pool->lock);
    }
    if (pool->options.idle_timeout_ms != 0) {
        (void)pm_resources_close_expired(pool);
    }
    errno = saved_errno;
}

PUBLIC void pm_resources_close_all(pm_resources *pool)
{
    resource_lock(pool);
    pool->closed = true;
    resource_refuse_waiters(pool);
    mutex_unlock(&pool->lock);
    (void)pm_resources_close_expired(pool);
}

/* ---- Getting -------------------------------------------------------------------------------- */

/* With a place counted in in_use. */
static void *open_one(struct pm_resources *pool)
{
    void *resource = pool->options.open(pool->options.context);
    int open_errno = errno;
    resource_lock(pool);
    if (resource != NULL) {
        pool->stats.opened++;
    } else {
        resource_leave_place(pool);
    }
    mutex_unlock(&pool->lock);
    errno = open_errno;
    return resource;
}

static enum answer wait_for_answer(struct waiter *waiter, int timeout_ms)
{
    uint64_t start_ms = os_now_ms();
    for (;;) {
        uint32_t answer = atomic_load_explicit(&waiter->answer, memory_order_acquire);
        uint64_t waited_ms = os_now_ms() - start_ms;
        if (answer != ANSWER_NONE || (timeout_ms >= 0 && waited_ms >= (uint64_t)timeout_ms)) {
            return answer;
        }
        if (timeout_ms < 0) {
            os_wait(&waiter->answer, ANSWER_NONE);
        } else {
            os_wait_ms(&waiter->answer, ANSWER_NONE, (uint64_t)timeout_ms - waited_ms);
        }
    }
}

/* Waits for the answer or the timeout, then leaves the line. */
static enum answer wait_in_line(struct pm_resources *pool, struct waiter *waiter, int timeout_ms)
{
    enum answer answer = wait_for_answer(waiter, timeout_ms);
    if (answer != ANSWER_NONE) {
        return answer;
    }
    resource_lock(pool);
    answer = atomic_load_explicit(&waiter->answer, memory_order_relaxed);
    if (answer == ANSWER_NONE) {
        resource_remove_waiter(pool, waiter);
    }
    mutex_unlock(&pool->lock);
    return answer;
}

static bool is_valid(struct pm_resources *pool, void *resource)
{
    return pool->options.validate == NULL ||
           pool->options.validate(resource, pool->options.context);
}

/* One try. *again: an idle resource was not valid, its place is free again. */
static void *get_once(struct pm_resources *pool, int timeout_ms, bool *again)
{
    struct waiter waiter = {0};
    enum answer answer;
    resource_lock(pool);
    bool decided = resource_decide(pool, &waiter, &answer, timeout_ms);
    mutex_unlock(&pool->lock);
    if (!decided) {
        answer = wait_in_line(pool, &waiter, timeout_ms);
    }
    switch (answer) {
    case ANSWER_NONE:
        errno = timeout_ms == 0 ? EAGAIN : ETIMEDOUT;
        return NULL;
    case ANSWER_CLOSED:
        errno = ESHUTDOWN;
        return NULL;
    case ANSWER_PERMISSION:
        return open_one(pool);
    case ANSWER_RESOURCE:
        break;
    }
    if (decided && !is_valid(pool, waiter.resource)) {
        pm_resources_discard(pool, waiter.resource);
        *again = true;
        return NULL;
    }
    return waiter.resource;
}

PUBLIC void *pm_resources_get(pm_resources *pool, int timeout_ms)
{
    void *resource;
    bool again;
    if (pool->options.idle_timeout_ms != 0) {
        (void)pm_resources_close_expired(pool);
    }
    do {
        again = false;
        resource = get_once(pool, timeout_ms, &again);
    } while (again);
    if (resource != NULL) {
        resource_lock(pool);
        pool->stats.gets++;
        mutex_unlock(&pool->lock);
    }
    return resource;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool options_are_valid(const pm_resources_options *options)
{
    return options->open != NULL && options->close != NULL &&
           (options->max_open == 0 || options->initial <= options->max_open) &&
           (options->max_idle == 0 || options->initial <= options->max_idle);
}

static bool open_initial(struct pm_resources *pool)
{
    for (size_t i = 0; i < pool->options.initial; i++) {
        void *resource = pool->options.open(pool->options.context);
        if (resource == NULL) {
            return false;
        }
        pool->stats.opened++;
        resource_lock_with_room(pool);
        bool kept = resource_make_idle(pool, resource);
        mutex_unlock(&pool->lock);
        if (!kept) {
            close_one(pool, resource);
            errno = ENOMEM;
            return false;
        }
    }
    return true;
}

PUBLIC pm_resources *pm_resources_create(const pm_resources_options *options)
{
    static _Atomic bool is_registered;
    if (options == NULL || !options_are_valid(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct pm_resources *pool = pm_calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return NULL;
    }
    pool->options = *options;
    mutex_on_fork(&is_registered, after_fork_in_child);
    mutex_lock(&registry.lock);
    pool->next = registry.first;
    registry.first = pool;
    mutex_unlock(&registry.lock);
    if (!open_initial(pool)) {
        int saved_errno = errno;
        pm_resources_destroy(pool);
        errno = saved_errno;
        return NULL;
    }
    return pool;
}

PUBLIC void pm_resources_destroy(pm_resources *pool)
{
    if (pool == NULL) {
        return;
    }
    pm_resources_close_all(pool);
    mutex_lock(&registry.lock);
    struct pm_resources **link = &registry.first;
    while (*link != pool) {
        link = &(*link)->next;
    }
    *link = pool->next;
    mutex_unlock(&registry.lock);
    pm_free(pool->idle);
    resource_lock(pool);
    pool->is_destroyed = true;
    mutex_unlock(&pool->lock);
    free_destroyed(pool);
}

/* ---- Statistics ----------------------------------------------------------------------------- */

PUBLIC size_t pm_resources_length(pm_resources *pool)
{
    return pm_resources_get_stats(pool).idle;
}

PUBLIC pm_resources_stats pm_resources_get_stats(pm_resources *pool)
{
    resource_lock(pool);
    pm_resources_stats stats = pool->stats;
    stats.in_use = pool->in_use;
    stats.idle = pool->idle_count;
    for (const struct waiter *waiter = pool->first_waiter; waiter; waiter = waiter->next) {
        stats.waiting++;
    }
    mutex_unlock(&pool->lock);
    return stats;
}
