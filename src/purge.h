/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When memory that nobody uses goes back: the clock of ticks, the ageing of depots, and decay.
 *
 * Every 250 ms at most one caller advances the tick: depots hand their victims to the bitmaps.
 * Twice per decay_ms pages that were free and dirty at the step before, and still are, are purged:
 * a page goes back between half and one decay_ms after its last use. How: see decay.h.
 *
 * Bins that nobody used between two steps, of decay or of growth, are purged inside their subpages
 * too: of a long array of small blocks with few survivors, only the OS pages that hold survivors
 * stay.
 *
 * A program of one thread gives back at once what it freed much of, see garbage.h.
 *
 * Each tick sets the byte budget of caches: cache_bytes or 1/16 of what is in use, and what the
 * program swings by above that, which sinks again when caches hold less. Each tick also lets every
 * arena's mark of growth sink, and unmaps what huge.h kept for long enough. Growth is a tick of its
 * own, see arena.h.
 *
 * Locks: one purger at a time, which others do not wait for. */
#ifndef POOLMALLOC_PURGE_H
#define POOLMALLOC_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PURGE_TICK_MS = 250 };

/* Is there anything that time would age or give back? */
bool purge_has_work(void);

/* Reads the clock and does what is due. true: the tick was advanced by this call. */
bool purge_poll(void);

/* Called after every tick, with no lock held. NULL: nobody wants it. Set once, at the start. */
extern void (*purge_after_tick)(uint64_t now_ms);

/* Purges the arenas that want it, see arena.h. Does nothing while another thread purges. */
void purge_wanted(void);

/* Sets the budget of caches without waiting for a tick: at the start, and when the program swings
 * by more, see budget_note_refill. */
void purge_update_budget(void);

/* Hands all that lies in depots to the bitmaps, unless another thread purges. */
void purge_depots(void);

/* Gives back all that depots and free pages hold, now. true: something was given back. */
bool purge_all(void);

/* In a forked child, after arenas were abandoned: what a thread now gone was about to purge is free
 * again. */
void purge_abandon_lock(void);

#endif
