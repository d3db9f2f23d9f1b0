/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process's tick: a counter that slow paths advance about four times a second, and more often
 * while memory grows (arena.h). What is unused for two ticks is let go (caches, depots, object
 * pools). Listeners poll the counter, but for one that must stop fast paths which do not; nothing
 * of the program's is ever called back, so a tick cannot run user code under a user's lock. */
#ifndef POOLMALLOC_TICK_H
#define POOLMALLOC_TICK_H

#include "compiler.h"

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic uint32_t tick_now; /* relaxed: a late reader ages its stock one operation later */

static inline uint32_t tick_count(void)
{
    return atomic_load_explicit(&tick_now, memory_order_relaxed);
}

/* Advances the tick by one, whatever the clock says. For the clock's owner and for tests. */
void tick_advance(void);

/* Called after every advance, by whatever thread: it waits for nobody and runs nothing of the
 * program's. NULL: nobody listens. */
extern _Atomic(void (*)(void)) tick_listener;

/* One thread may sleep until there is something to do again; who makes work wakes it. */
extern _Atomic uint32_t
    tick_sleeper; /* 1: it sleeps; relaxed: a wake too many or late does no harm */
void tick_sleep(void);
void tick_wake_slow(void);

static inline void tick_wake(void)
{
    if (unlikely(atomic_load_explicit(&tick_sleeper, memory_order_relaxed) != 0)) {
        tick_wake_slow();
    }
}

#endif
