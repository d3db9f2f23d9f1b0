/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tcache.h"

#include "bin.h"
#include "budget.h"
#include "config.h"
#include "limit.h"
#include "panic.h"
#include "purge.h"
#include "tick.h"

#include <string.h>

enum { IDLE_TICKS = 8 };

/* ---- Ageing ------------------------------------------------------------------------------ */

/* Bins that nothing moved in since the last tick give everything back. */
static void age_bins(struct tcache *tcache)
{
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        if (tcache->loaded[class] == NULL) {
            continue;
        }
        if (tcache->tops[class] == tcache->idle_tops[class]) {
            tcache_flush_bin(tcache, class);
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
            struct magazine *spare = tcache_take_spare(tcache, class);
            if (spare != NULL) {
                tcache_flush_magazine(class, spare);
                tcache_discard(class, spare);
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
    tcache->calls_to_clock = TCACHE_CALLS_PER_CLOCK;
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
    struct magazine *spare = tcache_take_spare(tcache, class);
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
            tcache_discard(class, spare);
        }
        spare = loaded;
    }
    if (spare != NULL) {
        tcache_put_spare(tcache, class, spare);
    }
    if (full != NULL) {
        tcache_load(tcache, class, full);
    }
    return full != NULL;
}

/* Fills half a magazine from bitmaps, a larger one than last time while the budget allows. */
static bool load_refilled(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    unsigned capacity = tcache_next_capacity(loaded, class);
    if (loaded == NULL || capacity > loaded->capacity) {
        struct magazine *larger = tcache_create_magazine(class, capacity);
        if (larger != NULL && loaded != NULL) {
            tcache_discard(class, loaded);
        }
        loaded = larger != NULL ? larger : loaded;
    }
    if (loaded == NULL) {
        return false;
    }
    loaded->count =
        (uint16_t)refill_slots(tcache->arena, class, loaded->slots, (loaded->capacity + 1U) / 2);
    tcache_load(tcache, class, loaded);
    if (unlikely(budget_note_refill(loaded->count * size_class_bytes(class)))) {
        purge_update_budget();
    }
    return loaded->count != 0;
}

static bool load_slots(struct tcache *tcache, unsigned class)
{
    tcache_begin_change(tcache, class);
    bool is_loaded =
        load_full(tcache, class) || (size_class_is_small(class) && load_refilled(tcache, class));
    tcache_end_change(tcache);
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

static void spill(unsigned class, struct magazine *magazine)
{
    budget_note_spill(magazine->count * size_class_bytes(class));
    tcache_flush_magazine(class, magazine);
}

/* Makes room in a full bin: an empty magazine takes the place of the full loaded one, which
 * becomes the spare; a full spare goes to the depot, or to the bitmaps when the budget is spent. */
static bool make_room(struct tcache *tcache, unsigned class)
{
    tcache_begin_change(tcache, class);
    struct magazine *loaded = tcache->loaded[class];
    struct magazine *empty = tcache_take_spare(tcache, class);
    if (empty == NULL || empty->count != 0) {
        struct magazine *full = empty;
        empty = tcache_create_magazine(class, tcache_next_capacity(loaded, class));
        if (full != NULL && empty != NULL) {
            depot_put(&tcache->arena->depots[class], full);
        } else if (full != NULL) {
            spill(class, full);
            empty = full;
        }
    }
    if (empty == NULL && loaded != NULL) {
        tcache_unload(tcache, class);
        spill(class, loaded);
        empty = loaded;
    } else if (loaded != NULL) {
        tcache_unload(tcache, class);
        tcache_put_spare(tcache, class, loaded);
    }
    if (empty != NULL) {
        tcache_load(tcache, class, empty);
    }
    tcache_end_change(tcache);
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
        tcache_flush_bin(tcache, class);
    }
}
