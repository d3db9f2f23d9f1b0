/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Object pools: stocks of objects that are expensive to make, kept for reuse.
 *
 *     pm_pool       temporary objects; unused stock leaves by itself  (as Go's sync.Pool)
 *     fixed pool    a fixed count of preallocated blocks              (for real-time programs)
 *     pm_tiers      byte blocks by size                               (as net/http's buffers)
 *     pm_resources  connections and the like, which must not vanish   (as fatih/pool, sql.DB)
 *
 *     may run at once with   get    put    drain  stats  destroy
 *       get, put             yes    yes    yes    yes    no
 *       drain, stats         yes    yes    yes    yes    no
 *       destroy              no     no     no     no     no     (of the same pool)
 *
 * Not for signal handlers. Callbacks run in the thread that called the pool, no lock held; they
 * may use any pool, this one included unless it is being destroyed. After fork the child may go on
 * using its pools: it owns a copy of the stock, of which the part that another thread had in hand
 * at that instant is lost.
 */
#ifndef PM_POOL_H
#define PM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Object pools ---------------------------------------------------------------------------
 *
 * A pool keeps what is put and hands it out again; what was put last comes first. What nobody
 * wanted for two ticks of the process (a quarter of a second each, less while memory grows) is let
 * go: by the next call of any pool, or, when its pool has callbacks to be run for it, by the next
 * call of that pool. */

typedef struct pm_pool pm_pool;

/* A zeroed struct is valid: a pool of opaque pointers without callbacks. */
typedef struct pm_pool_options {
    size_t object_bytes; /* the pool allocates objects of this size; 0: the objects are pointers
                          * that only the callbacks understand */
    size_t alignment;    /* of objects, a power of two; 0: 16 */

    /* Makes an object when the stock is empty. object: new memory of object_bytes, contents
     * undefined, or NULL for opaque pointers. Returns the object (the same pointer if one was
     * passed), or NULL: pm_pool_get fails with the errno it leaves.
     * NULL: objects with a size are zeroed memory, an empty pool of opaque pointers returns NULL.
     */
    void *(*construct)(void *object, void *context);

    /* Called on every put, so that no stale state travels to the next user. May be NULL. */
    void (*reset)(void *object, void *context);

    /* Undoes `construct` when an object is let go; its memory is freed by the pool. May be NULL. */
    void (*destruct)(void *object, void *context);

    /* How many bytes an object holds now, everything it owns included. May be NULL. */
    size_t (*size_of)(const void *object, void *context);

    size_t max_retained_bytes;   /* an object whose size_of is larger is let go by put; 0: none */
    size_t max_retained_objects; /* put lets go what is above; 0: no limit */
    void *context;               /* passed to the callbacks */
    const char *name;            /* for statistics, must outlive the pool; may be NULL */
} pm_pool_options;

typedef struct pm_pool_stats {
    uint64_t gets;             /* successful and failed */
    uint64_t hits;             /* of these, served from the stock; steals and rescues included */
    uint64_t misses;           /* of these, constructed or failed */
    uint64_t steals;           /* hits that came from another thread's stock */
    uint64_t rescues;          /* hits that came from the generation about to be let go */
    uint64_t puts;             /* all */
    uint64_t drops;            /* of these, let go at once: too large or too many */
    uint64_t aged;             /* let go because unused for two ticks, or by drain */
    uint64_t retained_objects; /* in stock now; exact when no call is under way */
    uint64_t retained_bytes;   /* as size_of says, else retained_objects * object_bytes */
} pm_pool_stats;

/* Creates an object pool.
 * options: copied; NULL means all zero.
 * Returns the pool or NULL.
 * Errors: EINVAL (alignment, or max_retained_bytes without size_of), ENOMEM in errno.
 * Threads: any.
 * Source: Go 1.13 sync.Pool. */
pm_pool *pm_pool_create(const pm_pool_options *options);

/* Creates a pool of `count` blocks that are all allocated now and never freed before destroy. Get
 * and put take bounded time without locks or system calls; get fails when all are out.
 * block_bytes: > 0; alignment: a power of two, 0: 16; count: 1 to 2^31.
 * Returns the pool or NULL.
 * Errors: EINVAL, ENOMEM in errno.
 * Threads: any.
 * Source: the fixed-block pools of real-time systems (uC/OS, ThreadX). */
pm_pool *pm_pool_create_fixed(size_t block_bytes, size_t alignment, size_t count);

/* Takes an object out of the stock, or makes one.
 * Returns it or NULL.
 * Errors: NULL and ENOMEM, what the constructor left, or EAGAIN (empty and no constructor; a fixed
 * pool has all blocks out) in errno. Using a destroyed pool ends the process.
 * Threads: any.
 * Source: Go sync.Pool.Get. */
void *pm_pool_get(pm_pool *pool);

/* Puts an object into the stock, or lets it go where a limit says so.
 * object: from this pool or, for opaque pointers, any that its callbacks understand; NULL: nothing
 * happens. The caller must not use it any more. Preserves errno.
 * Errors: a fixed pool counts a block that is not out, or not its own, as misuse (see
 * pm_set_checking) and ignores it.
 * Threads: any, not only the one that got the object.
 * Source: Go sync.Pool.Put. */
void pm_pool_put(pm_pool *pool, void *object);

/* Lets go of the whole stock now, other threads' included. Objects that are being put or taken at
 * this moment may be missed. Does nothing to a fixed pool.
 * Threads: any.
 * Source: none. */
void pm_pool_drain(pm_pool *pool);

/* Drains the pool and frees it. Objects that are out stay with their users, who can no longer put
 * them; blocks of a fixed pool die with it. NULL: nothing happens.
 * Threads: one, after every other use of the pool.
 * Source: none. */
void pm_pool_destroy(pm_pool *pool);

/* Counters of a pool since its creation.
 * Threads: any; numbers of threads that are inside the pool may lag by their current call.
 * Source: none. */
pm_pool_stats pm_pool_get_stats(const pm_pool *pool);

/* ---- Tiered buffer pools -------------------------------------------------------------------- */

typedef struct pm_tiers pm_tiers;

/* Creates pools of blocks whose sizes double from min_bytes to max_bytes.
 * min_bytes, max_bytes: powers of two, 16 <= min_bytes <= max_bytes.
 * Returns the tiers or NULL.
 * Errors: EINVAL, ENOMEM in errno.
 * Threads: any.
 * Source: the 2 and 4 KiB pools of Go's net/http. */
pm_tiers *pm_tiers_create(size_t min_bytes, size_t max_bytes);

/* Gets a block of at least `bytes` bytes, from the smallest tier that suffices; above max_bytes it
 * is allocated for this call alone.
 * Returns the block (aligned to 16, contents undefined) or NULL.
 * Errors: ENOMEM in errno.
 * Threads: any.
 * Source: none. */
void *pm_tiers_get(pm_tiers *tiers, size_t bytes);

/* Gives a block back to the tier it fits: the largest that its usable size covers. Too small or
 * oversized blocks are freed. Any block from pm_malloc and its kin is welcome. NULL: nothing
 * happens.
 * Threads: any.
 * Source: none. */
void pm_tiers_put(pm_tiers *tiers, void *block);

/* Sums over all tiers; drops counts the blocks that fitted no tier.
 * Threads: any.
 * Source: none. */
pm_pool_stats pm_tiers_get_stats(const pm_tiers *tiers);

/* Frees the stock. Blocks that are out stay valid; free them with pm_free. NULL: nothing happens.
 * Using the tiers later ends the process, until some more pools have been destroyed.
 * Threads: one, after every other use.
 * Source: none. */
void pm_tiers_destroy(pm_tiers *tiers);

/* ---- Misuse ---------------------------------------------------------------------------------
 *
 * Misuse of a live pool or buffer (released or put back too often, used when it is no longer held)
 * ends the process with one line when checking is on, and is counted and ignored otherwise.
 * Checking starts on with the option check:true (POOLMALLOC_CHECK=true). */

void pm_set_checking(bool on);
uint64_t pm_misuse_count(void);

#ifdef __cplusplus
}
#endif

#endif
