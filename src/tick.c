/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tick.h"

#include "os.h"

_Atomic uint32_t tick_now;
_Atomic uint32_t tick_sleeper;
_Atomic(void (*)(void)) tick_listener;

void tick_advance(void)
{
    /* seq_cst: pairs with the gates of object pools, see settle in pool_age.c */
    atomic_fetch_add(&tick_now, 1);
    void (*listener)(void) = atomic_load_explicit(&tick_listener, memory_order_acquire);
    if (listener != NULL) {
        listener();
    }
}

void tick_sleep(void)
{
    atomic_store_explicit(&tick_sleeper, 1, memory_order_relaxed);
    os_wait(&tick_sleeper, 1);
    atomic_store_explicit(&tick_sleeper, 0, memory_order_relaxed);
}

void tick_wake_slow(void)
{
    atomic_store_explicit(&tick_sleeper, 0, memory_order_relaxed);
    os_wake(&tick_sleeper, 1);
}
