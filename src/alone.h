/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* While a process has one thread, its slow paths need no locked instruction. One of them waits
 * until all earlier stores have left the CPU, the program's cache misses included: a fifth of the
 * time of a loop that fills fresh blocks.
 *
 * libc tells: __libc_single_threaded becomes false before a second thread exists. Where libc has no
 * such word the process counts as threaded. */
#ifndef POOLMALLOC_ALONE_H
#define POOLMALLOC_ALONE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern char __libc_single_threaded __attribute__((weak));

static inline bool is_alone(void)
{
    return &__libc_single_threaded != NULL && __libc_single_threaded != 0;
}

/* Adds to a counter that orders nothing. */
static inline void counter_add(_Atomic size_t *counter, size_t value)
{
    if (is_alone()) {
        size_t sum = atomic_load_explicit(counter, memory_order_relaxed) + value;
        atomic_store_explicit(counter, sum, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
    }
}

static inline void counter_add_32(_Atomic uint32_t *counter, uint32_t value)
{
    if (is_alone()) {
        uint32_t sum = atomic_load_explicit(counter, memory_order_relaxed) + value;
        atomic_store_explicit(counter, sum, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
    }
}

#endif
