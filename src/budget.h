/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One byte budget for the whole process bounds what depots and thread caches hold together:
 * budget_reserve before stocking, budget_release after. No locks. */
#ifndef POOLMALLOC_BUDGET_H
#define POOLMALLOC_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    _Atomic size_t limit_bytes;
    _Atomic size_t reserved_bytes;
};
extern struct budget budget;

/* Takes `bytes` from the budget. false: it is spent, nothing was taken. */
bool budget_reserve(size_t bytes);
void budget_release(size_t bytes);
void budget_set(size_t bytes);

/* How far the program swings beyond the budget: slots that were flushed because it was spent, and
 * were refilled again. True: that is half a budget by now, so that a larger one would pay. */
void budget_note_spill(size_t bytes);
bool budget_note_refill(size_t bytes);
/* Returns what was refilled since the last call. */
size_t budget_take_swing(void);
/* What was flushed long ago and is still away is no swing: each call forgets half. */
void budget_forget_spills(void);

size_t budget_bytes(void);
size_t budget_reserved_bytes(void);

#endif
