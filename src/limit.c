/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "limit.h"

#include "arena.h"
#include "cgroup.h"
#include "compiler.h"
#include "config.h"
#include "huge.h"
#include "meta.h"
#include "os.h"
#include "purge.h"
#include "tick.h"

enum { NEAR_TENTHS = 9, CGROUP_TICKS = 8 };

static _Atomic(limit_callback *) registered; /* relaxed: the function is there before it is set */
static _Atomic uint64_t cgroup_bytes;        /* relaxed: 0 not read yet or no limit */
static _Atomic uint32_t cgroup_tick;         /* relaxed: when to read it again */
static _Atomic uint32_t pressed_tick;        /* relaxed: when the last purge for the limit was */

_Atomic(bool (*)(void)) limit_is_bad_moment;

void limit_set_callback(limit_callback *callback)
{
    atomic_store_explicit(&registered, callback, memory_order_relaxed);
}

/* The file may change while the process runs, so it is read again now and then. */
static uint64_t cgroup_limit(void)
{
    uint32_t now = tick_count() / CGROUP_TICKS + 1;
    if (atomic_exchange_explicit(&cgroup_tick, now, memory_order_relaxed) != now) {
        atomic_store_explicit(&cgroup_bytes, cgroup_memory_limit(), memory_order_relaxed);
    }
    return atomic_load_explicit(&cgroup_bytes, memory_order_relaxed);
}

uint64_t limit_in_force(void)
{
    uint64_t limit_bytes = config.limit_bytes;
    if (unlikely(config.limit == LIMIT_CGROUP)) {
        uint64_t group_bytes = cgroup_limit();
        bool is_smaller = limit_bytes == 0 || (group_bytes != 0 && group_bytes < limit_bytes);
        limit_bytes = is_smaller ? group_bytes : limit_bytes;
    }
    return limit_bytes;
}

uint64_t limit_resident_bytes(void)
{
    struct arena_pages pages = arena_pages_of_all();
    struct huge_totals huge = huge_totals();
    return (pages.used + pages.dirty) * PAGE_BYTES + huge.live_bytes + huge.idle_bytes +
           meta_totals().used_bytes;
}

static uint64_t purgeable_pages(void)
{
    return huge_totals().idle_bytes / PAGE_BYTES + arena_pages_of_all().dirty;
}

static bool fits(uint64_t limit_bytes, size_t bytes)
{
    uint64_t resident_bytes = limit_resident_bytes();
    return resident_bytes <= limit_bytes && bytes <= limit_bytes - resident_bytes;
}

/* What can be done to get below. The program is asked once a tick; purging again in the same tick
 * is worth its cost only where there is something to purge. */
static void press(uint64_t limit_bytes, size_t bytes)
{
    bool (*is_bad_moment)(void) = atomic_load_explicit(&limit_is_bad_moment, memory_order_acquire);
    if (is_bad_moment != NULL && is_bad_moment()) {
        purge_all();
        return;
    }
    uint32_t now = tick_count() + 1;
    bool is_first = atomic_exchange_explicit(&pressed_tick, now, memory_order_relaxed) != now;
    if (is_first || purgeable_pages() != 0) {
        purge_all();
    }
    limit_callback *callback = atomic_load_explicit(&registered, memory_order_relaxed);
    if (is_first && callback != NULL && !fits(limit_bytes, bytes)) {
        callback(limit_resident_bytes(), limit_bytes);
        purge_all();
    }
}

bool limit_allows(size_t bytes)
{
    uint64_t limit_bytes = limit_in_force();
    if (likely(limit_bytes == 0) || fits(limit_bytes, bytes)) {
        return true;
    }
    press(limit_bytes, bytes);
    return fits(limit_bytes, bytes);
}

void limit_poll(void)
{
    uint64_t limit_bytes = limit_in_force();
    if (unlikely(limit_bytes != 0) && !fits(limit_bytes / 10 * NEAR_TENTHS, 0)) {
        press(limit_bytes / 10 * NEAR_TENTHS, 0);
    }
}
