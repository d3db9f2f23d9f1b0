/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "misuse.h"

#include "config.h"
#include "panic.h"
#include "poolmalloc.h"

#include <stdatomic.h>

enum { DESTROYED_KEPT = 8 };

/* relaxed: a switch and a statistic, nothing hangs on their order */
static _Atomic bool checking;
static _Atomic uint64_t misuse_count;

__attribute__((constructor)) static void read_options(void)
{
    config_load();
    if (config.check) {
        pm_set_checking(true);
    }
}

PUBLIC void pm_set_checking(bool on)
{
    atomic_store_explicit(&checking, on, memory_order_relaxed);
}

PUBLIC uint64_t pm_misuse_count(void)
{
    return atomic_load_explicit(&misuse_count, memory_order_relaxed);
}

void free_destroyed(void *memory)
{
    static _Atomic(void *) kept[DESTROYED_KEPT];
    static _Atomic uint32_t next;
    uint32_t at = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % DESTROYED_KEPT;
    pm_free(atomic_exchange(&kept[at], memory));
}

void misuse(const char *what, const void *address)
{
    if (atomic_load_explicit(&checking, memory_order_relaxed)) {
        panic_at(what, address, 0, NULL);
    }
    atomic_fetch_add_explicit(&misuse_count, 1, memory_order_relaxed);
}
