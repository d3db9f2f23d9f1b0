/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How memory that nobody uses goes back: free dirty pages, chunks, and the OS pages of subpages
 * that hold free slots only. When that happens is purge.h's.
 *
 * Spans of pages are chosen under the arena's lock, in address order, and purged outside it while
 * they count as in use. A chunk that is free as a whole is unmapped instead, but for one per arena.
 *
 * Threads: one caller at a time, by the purger's lock. */
#ifndef POOLMALLOC_DECAY_H
#define POOLMALLOC_DECAY_H

#include "arena.h"

/* A step: purges what was free and dirty at the step before and still is. */
void decay_arena(struct arena *arena);
/* Purges what is free and dirty now, without waiting for its age. */
void decay_arena_now(struct arena *arena);

/* Which small classes have free slots to purge: all that changed since they were last purged, or
 * only those of them that nobody used since they were last looked at. */
enum bin_choice { IDLE_BINS, ALL_BINS };
void decay_free_slots(struct arena *arena, enum bin_choice choice);

/* In a forked child whose purger is gone: what it was about to purge is free again. */
void decay_abandon(void);

#endif
