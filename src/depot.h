/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Full magazines of one class, shared by the threads of an arena, in two generations as in Go's
 * sync.Pool: what came since the last tick (fresh) and what was there before (victim). A tick
 * hands the victims back and makes fresh ones victims; taking one rescues it.
 *
 * Locks: pop_lock serialises takers, as lfstack asks; putting needs no lock. */
#ifndef POOLMALLOC_DEPOT_H
#define POOLMALLOC_DEPOT_H

#include "magazine.h"
#include "mutex.h"

struct depot {
    struct __cds_lfs_stack fresh;
    struct __cds_lfs_stack victim;
    struct mutex pop_lock;
    _Atomic uint32_t magazine_count; /* relaxed: a statistic and a hint that it is worth asking */
    _Atomic uint32_t slot_count;     /* relaxed: a statistic */
};

/* magazine: full or partly full, owned by the caller; its bytes are already reserved (budget.h). */
void depot_put(struct depot *depot, struct magazine *magazine);
/* NULL: empty. */
struct magazine *depot_take(struct depot *depot);
/* One tick: returns the old victims, linked by node.next, for the caller to flush. */
struct magazine *depot_age(struct depot *depot);
/* In a forked child. A stack is whole at any instant, so only what a thread now gone had just taken
 * is lost; the counts may be off by that and are taken again. */
void depot_abandon(struct depot *depot);

#endif
