/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tcache.h"

#include "bin.h"
#include "config.h"
#include "limit.h"
#include "meta.h"
#include "os.h"
#include "page_map.h"
#include "panic.h"
#include "purge.h"
#include "tick.h"

#include <pthread.h>
#include <string.h>

enum { CALLS_PER_CLOCK = 64, IDLE_TICKS = 8 };

/* An empty and full stack: below its only top lies NULL, and the top is its limit. */
static void *no_slots[1];

#define CLOSED_BINS                                                                                \
    {                                                                                              \
        [0 ... CLASS_COUNT - 1] = &no_slots[1]                                                     \
    }

static struct tcache empty_tcache = {
    .state = TCACHE_EMPTY, .tops = CLOSED_BINS, .limits = CLOSED_BINS};
static struct tcache closed_tcache = {
    .state = TCACHE_CLOSED, .tops = CLOSED_BINS, .limits = CLOSED_BINS};

_Thread_local struct tcache *self_current = &empty_tcache;

void (*tcache_on_pools_exit)(void *pools);

_Atomic(struct tcache *) tcache_newest;

static struct {
    struct mutex lock; /* guards all below, and putting a cache into tcache_newest */
    struct tcache *unused;
    bool has_exit_key;
    pthread_key_t exit_key;
} caches;

static void close_bin(struct tcache *tcache, unsigned class)
{
    tcache->loaded[class] = NULL;
    tcache->tops[class] = &no_slots[1];
    tcache->limits[class] = &no_slots[1];
}

static void load(struct tcache *tcache, unsigned class, struct magazine *magazine)
{
    tcache->loaded[class] = magazine;
    tcache->tops[class] = magazine->slots + magazine->count;
    tcache->limits[class] = magazine->slots + magazine->capacity;
}

static void unload(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    loaded->count = (uint16_t)(tcache->tops[class] - loaded->slots);
}

static struct magazine *take_spare(struct tcache *tcache, unsigned class)
{
    /* Only the owner puts a spare there, so NULL stays NULL. */
    if (atomic_load_explicit(&tcache->spare[class], memory_order_relaxed) == NULL) {
        return NULL;
    }
    if (is_alone()) {
        struct magazine *spare = atomic_load_explicit(&tcache->spare[class], memory_order_relaxed);
        atomic_store_explicit(&tcache->spare[class], NULL, memory_order_relaxed);
        return spare;
    }
    return atomic_exchange_explicit(&tcache->spare[class], NULL, memory_order_acquire);
}

static void put_spare(struct tcache *tcache, unsigned class, struct magazine *magazine)
{
    atomic_store_explicit(&tcache->spare[class], magazine, memory_order_release);
}

/* The fences keep the compiler from moving a change out of its brackets; the other CPUs' stores are
 * in order for a child because fork stops a thread at its first store to a page already copied. */
static void begin_change(struct tcache *tcache, unsigned class)
{
    atomic_store_explicit(&tcache->changing, class, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static void end_change(struct tcache *tcache)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&tcache->changing, CLASS_NONE, memory_order_relaxed);
}

/* Magazines stand in the byte budget with their capacity, wherever they are. */
static struct magazine *budgeted_magazine(unsigned class, unsigned capacity)
{
    size_t bytes = capacity * size_class_bytes(class);
    if (!budget_reserve(bytes)) {
        return NULL;
    }
    struct magazine *magazine = magazine_create(capacity);
    if (magazine == NULL) {
        budget_release(bytes);
    }
    return magazine;
}

static void discard(unsigned class, struct magazine *magazine)
{
    budget_release(magazine->capacity * size_class_bytes(class));
    magazine_destroy(magazine);
}

static unsigned next_capacity(const struct magazine *loaded, unsigned class)
{
    unsigned most = size_classes[class].magazine_slots;
    unsigned wanted = loaded == NULL ? (most + 7) / 8 : 2U * loaded->capacity;
    return wanted < most ? wanted : most;
}

static void flush_magazine(unsigned class, struct magazine *magazine)
{
    bin_flush(class, magazine->slots, magazine->count);
    magazine->count = 0;
}

/* ---- Opening and closing ----------------------------------------------------------------- */

static struct tcache *reuse_cache(void)
{
    struct tcache *tcache = caches.unused;
    if (tcache != NULL) {
        caches.unused = tcache->next_unused;
    }
    return tcache;
}

static struct tcache *make_cache(void)
{
    struct tcache *tcache = meta_alloc(sizeof(*tcache), 64);
    if (tcache != NULL) {
        for (unsigned class = 0; class < CLASS_COUNT; class ++) {
            tcache->tops[class] = &no_slots[1];
            tcache->limits[class] = &no_slots[1];
        }
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

/* Magazines with slots go to the depot, where the next thread finds them. */
static void retire_magazine(struct arena *arena, unsigned class, struct magazine *magazine)
{
    if (magazine == NULL) {
        return;
    }
    if (magazine->count != 0) {
        depot_put(&arena->depots[class], magazine);
    } else {
        discard(class, magazine);
    }
}

static void empty_cache(struct tcache *tcache)
{
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        begin_change(tcache, class);
        if (tcache->loaded[class] != NULL) {
            unload(tcache, class);
            retire_magazine(tcache->arena, class, tcache->loaded[class]);
            close_bin(tcache, class);
        }
        retire_magazine(tcache->arena, class, take_spare(tcache, class));
    }
    end_change(tcache);
}

/* Its magazines may lie in a depot, in a stock or twice in the cache already: they are left alone.
 */
static void drop_changing_bin(struct tcache *tcache)
{
    unsigned class = atomic_load_explicit(&tcache->changing, memory_order_relaxed);
    close_bin(tcache, class);
    put_spare(tcache, class, NULL);
}

/* The thread-specific destructor. What the thread frees and allocates after it goes by the closed
 * cache, that is straight to the bitmaps. */
static void close_cache(void *own)
{
    struct tcache *tcache = own;
    if (tcache->pools != NULL) {
        tcache_on_pools_exit(tcache->pools);
        tcache->pools = NULL;
    }
    empty_cache(tcache);
    arena_leave(tcache->arena);
    mutex_lock(&caches.lock);
    self_current = &closed_tcache; /* with the lock held, as in attach_locked */
    put_unused_locked(tcache);
    mutex_unlock(&caches.lock);
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
    tcache->calls_to_clock = CALLS_PER_CLOCK;
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

/* ---- Ageing ------------------------------------------------------------------------------ */

static void flush_bin(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    begin_change(tcache, class);
    struct magazine *spare = take_spare(tcache, class);
    if (loaded != NULL) {
        unload(tcache, class);
        close_bin(tcache, class);
        flush_magazine(class, loaded);
        discard(class, loaded);
    }
    if (spare != NULL) {
        flush_magazine(class, spare);
        discard(class, spare);
    }
    end_change(tcache);
}

/* Bins that nothing moved in since the last tick give everything back. */
static void age_bins(struct tcache *tcache)
{
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        if (tcache->loaded[class] == NULL) {
            continue;
        }
        if (tcache->tops[class] == tcache->idle_tops[class]) {
            flush_bin(tcache, class);
        }
        tcache->idle_tops[class] = tcache->tops[class];
    }
}

/* Threads that sleep cannot age their own caches; their spare magazines can be taken. */
static void flush_idle_spares(void)
{
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        bool is_idle =
            tick_count() - atomic_load_explicit(&tcache->tick_seen, memory_order_relaxed) >=
            IDLE_TICKS;
        for (unsigned class = 1; is_idle && class < CLASS_HUGE; class ++) {
            struct magazine *spare = take_spare(tcache, class);
            if (spare != NULL) {
                flush_magazine(class, spare);
                discard(class, spare);
            }
        }
    }
}

void tcache_turn_clock(void)
{
    if (purge_poll()) {
        flush_idle_spares();
        limit_poll();
    }
}

/* Every slow call passes here; every 64th reads the clock. */
static void poll_clock(struct tcache *tcache)
{
    if (unlikely(atomic_load_explicit(&arena_wants_purge, memory_order_relaxed))) {
        purge_wanted();
    }
    if (likely(--tcache->calls_to_clock != 0)) {
        return;
    }
    tcache->calls_to_clock = CALLS_PER_CLOCK;
    tcache_turn_clock();
    if (tick_count() != atomic_load_explicit(&tcache->tick_seen, memory_order_relaxed)) {
        atomic_store_explicit(&tcache->tick_seen, tick_count(), memory_order_relaxed);
        age_bins(tcache);
    }
}

void tcache_count_alloc(unsigned class, size_t request_bytes)
{
    struct tcache *tcache = tcache_own();
    if (tcache != NULL) {
        poll_clock(tcache);
        tcache->counts[class].slow_allocs++;
        tcache->counts[class].misses++;
        tcache->counts[class].request_bytes += request_bytes;
    }
}

void tcache_poll(void)
{
    struct tcache *tcache = tcache_own();
    if (tcache != NULL) {
        poll_clock(tcache);
    }
}

/* ---- Slow paths -------------------------------------------------------------------------- */

static struct magazine *take_from_depots(struct arena *own, unsigned class)
{
    struct magazine *magazine = depot_take(&own->depots[class]);
    for (unsigned i = 0; magazine == NULL && i < arena_count(); i++) {
        struct arena *arena = arena_at(i);
        magazine = arena == own ? NULL : depot_take(&arena->depots[class]);
    }
    return magazine;
}

/* Slots from the bitmaps of the own arena, or, when it has no memory left, of any other. */
static unsigned refill_slots(struct arena *own, unsigned class, void **slots, unsigned wanted)
{
    unsigned got = bin_refill(own, class, slots + wanted, wanted);
    for (unsigned i = 0; unlikely(got == 0) && i < arena_count(); i++) {
        got = bin_refill(arena_at(i), class, slots + wanted, wanted);
    }
    if (got < wanted) {
        memmove(slots, slots + wanted - got, got * sizeof(*slots));
    }
    return got;
}

static void *alloc_uncached(struct arena *arena, unsigned class)
{
    void *slot = NULL;
    if (size_class_is_small(class)) {
        return refill_slots(arena, class, &slot, 1) == 1 ? slot : NULL;
    }
    return arena_alloc_normal_anywhere(arena, class, 0).start;
}

static void *pop(struct tcache *tcache, unsigned class)
{
    void *slot = tcache->tops[class][-1];
    tcache->tops[class]--;
    return slot;
}

/* Loads a magazine with slots from elsewhere; the empty loaded one becomes the spare. */
static bool load_full(struct tcache *tcache, unsigned class)
{
    struct magazine *spare = take_spare(tcache, class);
    struct magazine *full = spare;
    if (spare == NULL || spare->count == 0) {
        full = take_from_depots(tcache->arena, class);
    } else {
        spare = NULL;
    }
    struct magazine *loaded = tcache->loaded[class];
    if (full != NULL && loaded != NULL) {
        loaded->count = 0;
        if (spare != NULL) {
            discard(class, spare);
        }
        spare = loaded;
    }
    if (spare != NULL) {
        put_spare(tcache, class, spare);
    }
    if (full != NULL) {
        load(tcache, class, full);
    }
    return full != NULL;
}

/* Fills half a magazine from bitmaps, a larger one than last time while the budget allows. */
static bool load_refilled(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    unsigned capacity = next_capacity(loaded, class);
    if (loaded == NULL || capacity > loaded->capacity) {
        struct magazine *larger = budgeted_magazine(class, capacity);
        if (larger != NULL && loaded != NULL) {
            discard(class, loaded);
        }
        loaded = larger != NULL ? larger : loaded;
    }
    if (loaded == NULL) {
        return false;
    }
    loaded->count =
        (uint16_t)refill_slots(tcache->arena, class, loaded->slots, (loaded->capacity + 1U) / 2);
    load(tcache, class, loaded);
    return loaded->count != 0;
}

static bool load_slots(struct tcache *tcache, unsigned class)
{
    begin_change(tcache, class);
    bool is_loaded =
        load_full(tcache, class) || (size_class_is_small(class) && load_refilled(tcache, class));
    end_change(tcache);
    return is_loaded;
}

void *tcache_alloc_slow(unsigned class, size_t request_bytes)
{
    struct tcache *tcache = tcache_own();
    if (unlikely(tcache == NULL)) {
        struct arena *arena = tcache_own_arena();
        return arena == NULL ? NULL : alloc_uncached(arena, class);
    }
    poll_clock(tcache);
    tcache->counts[class].slow_allocs++;
    tcache->counts[class].request_bytes += request_bytes;
    if (tcache->tops[class][-1] != NULL) {
        return pop(tcache, class);
    }
    tcache->counts[class].misses++;
    if (likely(!config.check) && load_slots(tcache, class)) {
        return pop(tcache, class);
    }
    return alloc_uncached(tcache->arena, class);
}

/* Makes room in a full bin: an empty magazine takes the place of the full loaded one, which
 * becomes the spare; a full spare goes to the depot, or to the bitmaps when the budget is spent. */
static bool make_room(struct tcache *tcache, unsigned class)
{
    begin_change(tcache, class);
    struct magazine *loaded = tcache->loaded[class];
    struct magazine *empty = take_spare(tcache, class);
    if (empty == NULL || empty->count != 0) {
        struct magazine *full = empty;
        empty = budgeted_magazine(class, next_capacity(loaded, class));
        if (full != NULL && empty != NULL) {
            depot_put(&tcache->arena->depots[class], full);
        } else if (full != NULL) {
            flush_magazine(class, full);
            empty = full;
        }
    }
    if (empty == NULL && loaded != NULL) {
        unload(tcache, class);
        flush_magazine(class, loaded);
        empty = loaded;
    } else if (loaded != NULL) {
        unload(tcache, class);
        put_spare(tcache, class, loaded);
    }
    if (empty != NULL) {
        load(tcache, class, empty);
    }
    end_change(tcache);
    return empty != NULL;
}

void tcache_free_slow(unsigned class, void *block)
{
    struct tcache *tcache = tcache_own();
    if (likely(tcache != NULL)) {
        poll_clock(tcache);
        tcache->counts[class].slow_frees++;
        if (likely(!config.check) &&
            (tcache->tops[class] != tcache->limits[class] || make_room(tcache, class))) {
            *tcache->tops[class]++ = block;
            return;
        }
    }
    bin_flush(class, &block, 1);
}

/* ---- For others -------------------------------------------------------------------------- */

void tcache_flush(void)
{
    struct tcache *tcache = tcache_current();
    for (unsigned class = 1; tcache->state == TCACHE_OPEN && class < CLASS_HUGE; class ++) {
        flush_bin(tcache, class);
    }
}

struct tcache *tcache_first(void)
{
    return atomic_load_explicit(&tcache_newest, memory_order_acquire);
}

unsigned tcache_cached_slots(struct tcache *tcache, unsigned class)
{
    const struct magazine *loaded = tcache->loaded[class];
    const struct magazine *spare =
        atomic_load_explicit(&tcache->spare[class], memory_order_acquire);
    ptrdiff_t count = loaded == NULL ? 0 : tcache->tops[class] - loaded->slots;
    if (loaded != NULL && (count < 0 || count > loaded->capacity)) {
        count = 0; /* the owner swapped magazines between the two reads */
    }
    return (unsigned)count + (spare == NULL ? 0U : spare->count);
}

bool tcache_is_valid(struct tcache *tcache)
{
    for (unsigned class = 0; class < CLASS_HUGE; class ++) {
        const struct magazine *loaded = tcache->loaded[class];
        void **top = tcache->tops[class];
        bool is_valid = loaded == NULL
                            ? top == &no_slots[1] && tcache->limits[class] == top
                            : top >= loaded->slots && top <= tcache->limits[class] &&
                                  tcache->limits[class] == loaded->slots + loaded->capacity &&
                                  loaded->guard == NULL;
        if (!is_valid) {
            return false;
        }
    }
    return true;
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
            empty_cache(tcache);
            arena_leave(tcache->arena);
        }
        tcache->pools = NULL;
        put_unused_locked(tcache);
    }
    mutex_unlock(&caches.lock);
}
