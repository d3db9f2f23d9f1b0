/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tick.h"

#include "os.h"

_Atomic uint32_t tick_now;
_Atomic uint32_t tick_sleeper;

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
