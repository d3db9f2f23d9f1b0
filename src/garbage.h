/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a program of one thread, which may go to sleep after any free, gives back what it freed:
 * there is nobody to do it later.
 *
 * Garbage is what is free but resident. It is due when it has grown since the last time by half of
 * what is live, and by a step: 64 MiB, and an eighth of that while the program goes on freeing.
 * What is purged and wanted again soon was a mistake, which costs page faults: then the step is
 * eight times as large. Ticks lead it back, down by a sixteenth each, or up to the double. */
#ifndef POOLMALLOC_GARBAGE_H
#define POOLMALLOC_GARBAGE_H

#include <stdbool.h>
#include <stdint.h>

/* In bytes. Zero but for step_bytes at the start. No lock: the purger's guards it. */
struct garbage {
    uint64_t step_bytes;
    uint64_t left_bytes;   /* after the last purge, or less since */
    uint64_t regret_bytes; /* live again soon after regret_ms: it was a mistake; 0: known already */
    uint64_t regret_ms;
};

enum { GARBAGE_STEP_BYTES = 64 << 20, GARBAGE_NEXT_BYTES = GARBAGE_STEP_BYTES / 8 };

/* Is it time to purge? Notices a mistake. */
bool garbage_is_due(struct garbage *garbage, uint64_t garbage_bytes, uint64_t live_bytes,
                    uint64_t now_ms);
/* After a purge of purged_bytes that left left_bytes. */
void garbage_note_purge(struct garbage *garbage, uint64_t purged_bytes, uint64_t left_bytes,
                        uint64_t live_bytes, uint64_t now_ms);
/* At each tick. */
void garbage_age(struct garbage *garbage);

#endif
