/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource pools: connections and other things that are opened, limited in number, and must be
 * closed, never just dropped.
 *
 * Callbacks run in the calling thread, no lock held, and may use any pool. After fork the child
 * starts with an empty pool: idle resources are shared with the parent, which goes on using them,
 * so the child forgets them without closing. What the forking thread holds is its own to decide:
 * pm_resources_discard it in one of the two processes.
 */
#ifndef PM_RESOURCE_H
#define PM_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pm_resources pm_resources;

typedef struct pm_resources_options {
    void *(*open)(void *context); /* makes a resource, or NULL with errno set; required */
    void (*close)(void *resource, void *context); /* required */
    /* Asked before an idle resource is handed out: false closes it. May be NULL. */
    bool (*validate)(void *resource, void *context);
    size_t initial;           /* opened at creation */
    size_t max_open;          /* in use and idle together; 0: no limit */
    size_t max_idle;          /* put closes what is above; 0: max_open */
    uint32_t idle_timeout_ms; /* idle for longer: closed by the next call; 0: never */
    void *context;            /* passed to the callbacks */
} pm_resources_options;

typedef struct pm_resources_stats {
    uint64_t in_use;
    uint64_t idle;
    uint64_t waiting;        /* threads in pm_resources_get */
    uint64_t gets;           /* successful */
    uint64_t opened;         /* by `open` */
    uint64_t waits;          /* gets that had to wait, or failed for want of waiting */
    uint64_t closed_idle;    /* by put, because of max_idle */
    uint64_t closed_expired; /* because of idle_timeout_ms */
    uint64_t closed_invalid; /* by validate, or discarded */
} pm_resources_stats;

#define PM_WAIT_FOREVER (-1)

/* Creates a pool and opens the initial resources.
 * options: copied.
 * Returns the pool or NULL; what was opened is closed again then.
 * Errors: EINVAL (a required callback is missing, initial above a limit), ENOMEM, or what `open`
 * left in errno.
 * Threads: any.
 * Source: fatih/pool NewChannelPool; the limits are those of Go's database/sql. */
pm_resources *pm_resources_create(const pm_resources_options *options);

/* Gets the resource that was idle for the shortest time, or opens one, or, when max_open are in
 * use, waits; waiting threads are served in order.
 * timeout_ms: 0 fails at once instead of waiting, PM_WAIT_FOREVER waits.
 * Returns the resource or NULL.
 * Errors: EAGAIN (timeout 0), ETIMEDOUT, ESHUTDOWN (closed), ENOMEM, or what `open` left in errno.
 * Threads: any.
 * Source: database/sql DB.conn. */
void *pm_resources_get(pm_resources *pool, int timeout_ms);

/* Gives a resource back: to the thread that waits longest, else to the idle ones, else it is
 * closed. NULL: nothing happens. Preserves errno.
 * Errors: a resource that is idle already is a misuse (see pm_set_checking in poolmalloc/pool.h),
 * ignored otherwise.
 * Threads: any.
 * Source: fatih/pool Close of a connection. */
void pm_resources_put(pm_resources *pool, void *resource);

/* Gives back a resource that is unusable: it is closed. NULL: nothing happens. Preserves errno.
 * Threads: any.
 * Source: fatih/pool MarkUnusable. */
void pm_resources_discard(pm_resources *pool, void *resource);

/* How many resources are idle.
 * Threads: any.
 * Source: fatih/pool Len. */
size_t pm_resources_length(pm_resources *pool);

/* Closes idle resources that passed idle_timeout_ms, as every get and put does.
 * Returns how many.
 * Threads: any; for a timer of programs that may stop calling for long.
 * Source: database/sql connectionCleaner. */
size_t pm_resources_close_expired(pm_resources *pool);

/* Closes all idle resources and the pool: get fails with ESHUTDOWN, also in threads that wait; put
 * closes what comes back.
 * Threads: any.
 * Source: fatih/pool Close. */
void pm_resources_close_all(pm_resources *pool);

/* pm_resources_close_all, and frees the pool. NULL: nothing happens. Using it later ends the
 * process, until some more pools have been destroyed.
 * Threads: one, after every other use; resources still in use stay open and are the caller's.
 * Source: none. */
void pm_resources_destroy(pm_resources *pool);

/* Threads: any. */
pm_resources_stats pm_resources_get_stats(pm_resources *pool);

#ifdef __cplusplus
}
#endif

#endif
