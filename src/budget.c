/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "budget.h"

#include "alone.h"
#include "compiler.h"

struct budget budget CACHE_ALIGNED = {.limit_bytes = 4 << 20};

/* relaxed: they guide a budget, and order nothing */
static struct {
    _Atomic size_t spilled_bytes; /* flushed, and not refilled again */
    _Atomic size_t refilled_bytes;
} swing CACHE_ALIGNED;

bool budget_reserve(size_t bytes)
{
    size_t reserved = atomic_load_explicit(&budget.reserved_bytes, memory_order_relaxed);
    size_t limit = atomic_load_explicit(&budget.limit_bytes, memory_order_relaxed);
    if (is_alone() && reserved + bytes <= limit) {
        counter_add(&budget.reserved_bytes, bytes);
        return true;
    }
    do {
        if (reserved + bytes > limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget.reserved_bytes, &reserved,
                                                    reserved + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void budget_release(size_t bytes)
{
    counter_add(&budget.reserved_bytes, -bytes);
}

void budget_set(size_t bytes)
{
    atomic_store_explicit(&budget.limit_bytes, bytes, memory_order_relaxed);
}

void budget_note_spill(size_t bytes)
{
    counter_add(&swing.spilled_bytes, bytes);
}

bool budget_note_refill(size_t bytes)
{
    size_t spilled = atomic_load_explicit(&swing.spilled_bytes, memory_order_relaxed);
    if (spilled < bytes ||
        !atomic_compare_exchange_strong_explicit(&swing.spilled_bytes, &spilled, spilled - bytes,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    counter_add(&swing.refilled_bytes, bytes);
    return atomic_load_explicit(&swing.refilled_bytes, memory_order_relaxed) >= budget_bytes() / 2;
}

size_t budget_take_swing(void)
{
    return atomic_exchange_explicit(&swing.refilled_bytes, 0, memory_order_relaxed);
}

void budget_forget_spills(void)
{
    size_t spilled = atomic_load_explicit(&swing.spilled_bytes, memory_order_relaxed);
    /* If it changes meanwhile, the next tick forgets. */
    (void)atomic_compare_exchange_strong_explicit(&swing.spilled_bytes, &spilled, spilled / 2,
                                                  memory_order_relaxed, memory_order_relaxed);
}

size_t budget_bytes(void)
{
    return atomic_load_explicit(&budget.limit_bytes, memory_order_relaxed);
}

size_t budget_reserved_bytes(void)
{
    return atomic_load_explicit(&budget.reserved_bytes, memory_order_relaxed);
}
