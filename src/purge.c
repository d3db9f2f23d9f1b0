/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "purge.h"

#include "bin.h"
#include "bits.h"
#include "budget.h"
#include "config.h"
#include "decay.h"
#include "garbage.h"
#include "huge.h"
#include "os.h"
#include "tick.h"

enum {
    WORTHWHILE_SHARE = 16,
    HUGE_KEPT_TICKS = 4,
    SWING_BUDGETS = 16, /* cache_bytes of swing for a single thread */
};

static struct {
    struct mutex lock;             /* one purger at a time; guards what follows and decay.h */
    _Atomic uint64_t next_tick_ms; /* relaxed: who moves it on by exchange does the tick */
    uint64_t next_decay_ms;
    uint64_t swing_bytes; /* of the budget of caches */
    struct garbage garbage;
    uint64_t garbage_ms;        /* when it was last looked at; for a process of one thread */
    _Atomic uint64_t way_ms;    /* when it was last looked whether to make way; relaxed: hints */
    _Atomic uint64_t way_pages; /* and how many were resident in arenas; all ones: nothing kept */
} purger = {.garbage.step_bytes = GARBAGE_STEP_BYTES, .way_pages = UINT64_MAX};

void (*purge_after_tick)(uint64_t now_ms);

static bool decays(void)
{
    return config.decay_ms != DECAY_NEVER;
}

static void age_depot(struct depot *depot, unsigned class)
{
    if (atomic_load_explicit(&depot->magazine_count, memory_order_relaxed) == 0) {
        return;
    }
    struct magazine *victim = depot_age(depot);
    while (victim != NULL) {
        struct magazine *next = magazine_next(victim);
        bin_flush(class, victim->slots, victim->count);
        budget_release(victim->capacity * size_class_bytes(class));
        magazine_destroy(victim);
        victim = next;
    }
}

static void age_depots(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        for (unsigned class = 1; class < CLASS_HUGE; class ++) {
            age_depot(&arena_at(i)->depots[class], class);
        }
    }
}

static void decay(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        decay_arena(arena_at(i));
        decay_free_slots(arena_at(i), IDLE_BINS);
    }
}

/* The budget above its base: grows by what the program swings by, up to what is resident anyway and
 * to some budgets for a single thread, less for more, and sinks at each tick towards what caches
 * hold. */
static uint64_t swing_bytes(uint64_t base, uint64_t limit, bool is_tick)
{
    uint64_t swing = purger.swing_bytes;
    if (is_tick) {
        uint64_t reserved = budget_reserved_bytes();
        swing = smaller(swing, larger(minus(reserved, base), swing - swing / 8));
        budget_forget_spills();
    }
    return smaller(swing + budget_take_swing(), limit);
}

static void set_budget(bool is_tick)
{
    uint64_t used = 0;
    uint64_t resident = 0;
    uint64_t threads = 0;
    for (unsigned i = 0; i < arena_count(); i++) {
        struct arena *arena = arena_at(i);
        struct arena_pages pages = arena_pages(arena);
        used += pages.used * PAGE_BYTES;
        resident += (pages.used + pages.dirty) * PAGE_BYTES;
        threads += atomic_load_explicit(&arena->thread_count, memory_order_relaxed);
    }
    uint64_t base = larger(config.cache_bytes, used / 16);
    /* The square: what one thread caches the others miss, in each of them. */
    uint64_t shares = larger(threads, 1) * larger(threads, 1);
    uint64_t limit = smaller(config.cache_bytes, resident) * SWING_BUDGETS / shares;
    purger.swing_bytes = swing_bytes(base, smaller(resident, limit), is_tick);
    budget_set(base + smaller(purger.swing_bytes, UINT64_MAX - base));
}

void purge_update_budget(void)
{
    if (mutex_try_lock(&purger.lock)) {
        set_budget(false);
        mutex_unlock(&purger.lock);
    }
}

/* ---- Garbage of a program of one thread ---------------------------------------------------- */

struct heap {
    uint64_t live_bytes;    /* with what caches hold */
    uint64_t garbage_bytes; /* free and dirty pages, and free slots, purged ones too */
    uint64_t purged_bytes;  /* since the start */
};

static struct heap heap_sums(void)
{
    struct heap heap = {0};
    for (unsigned i = 0; i < arena_count(); i++) {
        struct arena *arena = arena_at(i);
        uint64_t free_bytes = 0;
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            mutex_lock(&arena->bins[class].lock);
            free_bytes += arena->bins[class].free_slots * size_class_bytes(class);
            mutex_unlock(&arena->bins[class].lock);
        }
        mutex_lock(&arena->lock);
        heap.live_bytes += minus(arena->used_pages * PAGE_BYTES, free_bytes);
        heap.garbage_bytes += arena->dirty_pages * PAGE_BYTES + free_bytes;
        heap.purged_bytes += arena->purged_bytes;
        mutex_unlock(&arena->lock);
    }
    return heap;
}

/* Gives back all that depots, free pages and free slots hold. */
static void empty_all(void)
{
    age_depots();
    age_depots();
    for (unsigned i = 0; i < arena_count(); i++) {
        decay_arena_now(arena_at(i));
        decay_free_slots(arena_at(i), ALL_BINS);
    }
}

static void purge_garbage(uint64_t now_ms)
{
    /* Once at each time of the coarse clock: the sums are of many cache lines. */
    if (now_ms == purger.garbage_ms || !decays() || !mutex_try_lock(&purger.lock)) {
        return;
    }
    purger.garbage_ms = now_ms;
    struct heap before = heap_sums();
    if (garbage_is_due(&purger.garbage, before.garbage_bytes, before.live_bytes, now_ms)) {
        set_budget(false);
        empty_all();
        struct heap after = heap_sums();
        garbage_note_purge(&purger.garbage, after.purged_bytes - before.purged_bytes,
                           after.garbage_bytes, after.live_bytes, now_ms);
    }
    mutex_unlock(&purger.lock);
}

/* ---- The clock ----------------------------------------------------------------------------- */

static void lower_marks(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        arena_lower_mark(arena_at(i));
    }
}

static bool bin_has_work(struct bin *bin)
{
    mutex_lock(&bin->lock);
    uint32_t calls = (uint32_t)(bin->refill_count + bin->flush_count);
    bool has_work = bin->free_slots != 0 && calls != bin->calls_purged;
    mutex_unlock(&bin->lock);
    return has_work;
}

static bool arena_has_work(struct arena *arena)
{
    bool has_work = decays() && arena_pages(arena).dirty != 0;
    for (unsigned class = 1; !has_work && class < CLASS_HUGE; class ++) {
        has_work =
            atomic_load_explicit(&arena->depots[class].magazine_count, memory_order_relaxed) != 0 ||
            (class <= CLASS_SMALL_LAST && decays() && bin_has_work(&arena->bins[class]));
    }
    return has_work;
}

bool purge_has_work(void)
{
    bool has_work = decays() && huge_totals().idle_bytes != 0;
    for (unsigned i = 0; !has_work && i < arena_count(); i++) {
        has_work = arena_has_work(arena_at(i));
    }
    return has_work;
}

/* Memory must not grow while mappings are kept of a size that arenas serve. Looks once at each time
 * of the coarse clock, as it takes the locks of all arenas. */
static void make_way(uint64_t now_ms)
{
    if (atomic_load_explicit(&purger.way_ms, memory_order_relaxed) == now_ms) {
        return;
    }
    atomic_store_explicit(&purger.way_ms, now_ms, memory_order_relaxed);
    bool is_kept = decays() && huge_totals().idle_bytes != 0;
    struct arena_pages pages = is_kept ? arena_pages_of_all() : (struct arena_pages){0};
    uint64_t now = is_kept ? pages.used + pages.dirty : UINT64_MAX;
    uint64_t before = atomic_exchange_explicit(&purger.way_pages, now, memory_order_relaxed);
    if (is_kept && now > before) {
        huge_make_way();
    }
}

bool purge_poll(void)
{
    uint64_t now_ms = os_now_ms();
    uint64_t due_ms = atomic_load_explicit(&purger.next_tick_ms, memory_order_relaxed);
    if (is_alone()) {
        purge_garbage(now_ms);
    }
    make_way(now_ms);
    if (now_ms < due_ms || !atomic_compare_exchange_strong_explicit(
                               &purger.next_tick_ms, &due_ms, now_ms + PURGE_TICK_MS,
                               memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    mutex_check_fork();
    if (!mutex_try_lock(&purger.lock)) {
        return false;
    }
    tick_advance();
    set_budget(true);
    garbage_age(&purger.garbage);
    age_depots();
    lower_marks();
    if (decays()) {
        huge_decay(HUGE_KEPT_TICKS);
    }
    if (now_ms >= purger.next_decay_ms && decays()) {
        purger.next_decay_ms = now_ms + config.decay_ms / 2;
        decay();
    }
    mutex_unlock(&purger.lock);
    if (purge_after_tick != NULL) {
        purge_after_tick(now_ms);
    }
    return true;
}

static bool is_worthwhile(struct arena *arena)
{
    struct arena_pages pages = arena_pages(arena);
    return decays() && pages.dirty > pages.used / WORTHWHILE_SHARE;
}

void purge_wanted(void)
{
    if (!mutex_try_lock(&purger.lock)) {
        return;
    }
    atomic_store_explicit(&arena_wants_purge, false, memory_order_relaxed);
    tick_advance();
    age_depots();
    if (purger.swing_bytes != 0) { /* what grows does not swing: the stock serves it first */
        age_depots();
        purger.swing_bytes /= 2;
        set_budget(false);
    }
    for (unsigned i = 0; i < arena_count(); i++) {
        if (is_worthwhile(arena_at(i))) {
            decay_arena_now(arena_at(i));
        }
        if (decays()) {
            decay_free_slots(arena_at(i), IDLE_BINS);
        }
    }
    mutex_unlock(&purger.lock);
}

void purge_depots(void)
{
    if (mutex_try_lock(&purger.lock)) {
        age_depots();
        age_depots();
        mutex_unlock(&purger.lock);
    }
}

bool purge_all(void)
{
    size_t unmapped_bytes = huge_decay(0);
    mutex_lock(&purger.lock);
    uint64_t before = heap_sums().purged_bytes;
    empty_all();
    uint64_t after = heap_sums().purged_bytes;
    mutex_unlock(&purger.lock);
    return after > before || unmapped_bytes != 0;
}

void purge_abandon_lock(void)
{
    if (mutex_abandon(&purger.lock)) {
        decay_abandon();
    }
}
