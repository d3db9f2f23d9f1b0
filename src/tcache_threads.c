/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tcache_threads.h"

#include "config.h"
#include "meta.h"
#include "os.h"
#include "purge.h"
#include "tick.h"

#include <pthread.h>

#define CLOSED_BINS                                                                                \
    {                                                                                              \
        [0 ... CLASS_COUNT - 1] = &tcache_no_slots[1]                                              \
    }

#define NO_POOLS                                                                                   \
    {                                                                                              \
        [0 ... TCACHE_POOLS - 1] = &tcache_no_pool                                                 \
    }

static struct tcache empty_tcache = {
    .state = TCACHE_EMPTY, .tops = CLOSED_BINS, .limits = CLOSED_BINS, .pools = NO_POOLS};
/* Made when the first thread ends: its pointers would be relocated in every process. */
static struct tcache closed_tcache;

_Thread_local struct tcache *self_current = &empty_tcache;

void (*tcache_on_pools_exit)(struct pool_table *table);

_Atomic(struct tcache *) tcache_newest;

static struct {
    struct mutex lock; /* guards all below, and putting a cache into tcache_newest */
    struct tcache *unused;
    bool has_exit_key;
    pthread_key_t exit_key;
} caches;

static struct tcache *reuse_cache(void)
{
    struct tcache *tcache = caches.unused;
    if (tcache != NULL) {
        caches.unused = tcache->next_unused;
    }
    return tcache;
}

static void forget_pools(struct tcache *tcache)
{
    for (unsigned i = 0; i < TCACHE_POOLS; i++) {
        tcache->pools[i] = &tcache_no_pool;
    }
    tcache->pool_table = NULL;
}

static struct tcache *make_cache(void)
{
    struct tcache *tcache = meta_alloc(sizeof(*tcache), 64);
    if (tcache != NULL) {
        for (unsigned class = 0; class < CLASS_COUNT; class ++) {
            tcache->tops[class] = &tcache_no_slots[1];
            tcache->limits[class] = &tcache_no_slots[1];
        }
        forget_pools(tcache);
        tcache->next = atomic_load_explicit(&tcache_newest, memory_order_relaxed);
        atomic_store_explicit(&tcache_newest, tcache, memory_order_release);
    }
    return tcache;
}

static void put_unused_locked(struct tcache *tcache) REQUIRES(caches.lock)
{
    tcache->state = TCACHE_UNUSED;
    tcache->next_unused = caches.unused;
    caches.unused = tcache;
}

/* Its magazines may lie in a depot, in a stock or twice in the cache already: they are left alone.
 */
static void drop_changing_bin(struct tcache *tcache)
{
    unsigned class = atomic_load_explicit(&tcache->changing, memory_order_relaxed);
    tcache_close_bin(tcache, class);
    tcache_put_spare(tcache, class, NULL);
}

static struct tcache *closed_cache_locked(void) REQUIRES(caches.lock)
{
    if (closed_tcache.state != TCACHE_CLOSED) {
        closed_tcache = empty_tcache;
        closed_tcache.state = TCACHE_CLOSED;
    }
    return &closed_tcache;
}

/* The thread-specific destructor. What the thread frees and allocates after it goes by the closed
 * cache, that is straight to the bitmaps. The arena is left last: a child forked in between counts
 * a thread too many there, never one too few. */
static void close_cache(void *own)
{
    struct tcache *tcache = own;
    struct arena *arena = tcache->arena;
    if (tcache->pool_table != NULL) {
        tcache_on_pools_exit(tcache->pool_table);
        forget_pools(tcache);
    }
    tcache_retire_bins(tcache);
    mutex_lock(&caches.lock);
    self_current = closed_cache_locked(); /* with the lock held, as in attach_locked */
    put_unused_locked(tcache);
    mutex_unlock(&caches.lock);
    arena_leave(arena);
}

static bool ensure_exit_key_locked(void) REQUIRES(caches.lock)
{
    if (!caches.has_exit_key) {
        caches.has_exit_key = pthread_key_create(&caches.exit_key, close_cache) == 0;
    }
    return caches.has_exit_key;
}

/* With the lock held, a child that a signal handler forks here leaves all caches alone. */
static void attach_locked(struct tcache *tcache, struct arena *arena) REQUIRES(caches.lock)
{
    tcache->arena = arena;
    tcache->state = TCACHE_OPEN;
    atomic_store_explicit(&tcache->tick_seen, tick_count(), memory_order_relaxed);
    tcache->calls_to_clock = TCACHE_CALLS_PER_CLOCK;
    tcache->os_thread_id = os_thread_id();
    self_current = tcache;
}

COLD NOINLINE static struct tcache *open_cache(void)
{
    config_load();
    struct arena *arena = arena_join();
    if (arena == NULL) {
        return NULL;
    }
    mutex_lock(&caches.lock);
    struct tcache *tcache = reuse_cache();
    if (tcache == NULL) {
        tcache = make_cache();
    }
    if (tcache != NULL) {
        attach_locked(tcache, arena);
    }
    bool has_exit_key = ensure_exit_key_locked();
    mutex_unlock(&caches.lock);
    if (tcache == NULL) {
        arena_leave(arena);
        return NULL;
    }
    if (tcache->next == NULL) { /* the first one: options were just read */
        purge_update_budget();
    }
    if (has_exit_key) {
        pthread_setspecific(caches.exit_key, tcache); /* may allocate: the cache works already */
    }
    return tcache;
}

struct tcache *tcache_own(void)
{
    struct tcache *tcache = tcache_current();
    if (likely(tcache->state == TCACHE_OPEN)) {
        return tcache;
    }
    return tcache->state == TCACHE_CLOSED ? NULL : open_cache();
}

struct arena *tcache_own_arena(void)
{
    struct tcache *tcache = tcache_own();
    return tcache != NULL ? tcache->arena : arena_count() != 0 ? arena_at(0) : NULL;
}

struct tcache *tcache_first(void)
{
    return atomic_load_explicit(&tcache_newest, memory_order_acquire);
}

/* All but the own cache are unused here, also those that a gone thread was about to open or close.
 * The lock is tried only: a signal handler may have forked while its thread held it. */
void tcache_abandon_others(void)
{
    mutex_abandon(&caches.lock);
    if (!mutex_try_lock(&caches.lock)) {
        return;
    }
    caches.unused = NULL;
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        if (tcache == tcache_current()) {
            continue;
        }
        if (tcache->state == TCACHE_OPEN) {
            drop_changing_bin(tcache);
            tcache_retire_bins(tcache);
            arena_leave(tcache->arena);
        }
        forget_pools(tcache);
        put_unused_locked(tcache);
    }
    mutex_unlock(&caches.lock);
}
