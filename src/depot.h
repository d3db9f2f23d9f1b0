/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Full magazines of one class, shared by the threads of an arena, in two generations as in Go's
 * sync.Pool: what came since the last tick (fresh) and what was there before (victim). A tick
 * hands the victims back and makes fresh ones victims; taking one rescues it.
 *
 * One byte budget for the whole process bounds what depots and thread caches hold together:
 * budget_reserve before stocking, budget_release after.
 *
 * Locks: pop_lock serialises takers, as lfstack asks; putting needs no lock. */
#ifndef POOLMALLOC_DEPOT_H
#define POOLMALLOC_DEPOT_H

#include "magazine.h"
#include "mutex.h"

#include <stddef.h>

struct depot {
    struct __cds_lfs_stack fresh;
    struct __cds_lfs_stack victim;
    struct mutex pop_lock;
    _Atomic uint32_t magazine_count; /* relaxed: a statistic and a hint that it is worth asking */
    _Atomic uint32_t slot_count;     /* relaxed: a statistic */
};

/* magazine: full or partly full, owned by the caller; its budget is already reserved. */
void depot_put(struct depot *depot, struct magazine *magazine);
/* NULL: empty. */
struct magazine *depot_take(struct depot *depot);
/* One tick: returns the old victims, linked by node.next, for the caller to flush. */
struct magazine *depot_age(struct depot *depot);
/* In a forked child. A stack is whole at any instant, so only what a thread now gone had just taken
 * is lost; the counts may be off by that and are taken again. */
void depot_abandon(struct depot *depot);

struct budget {
    _Atomic size_t limit_bytes;
    _Atomic size_t reserved_bytes;
};
extern struct budget budget;

/* Takes `bytes` from the budget. false: it is spent, nothing was taken. */
bool budget_reserve(size_t bytes);
void budget_release(size_t bytes);
/* For what a thread must have in any case: counted, never refused. */
void budget_force(size_t bytes);
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
