/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks with a mapping each: above 1 MiB. They leave no holes between smaller blocks, grow without
 * being copied, and their pages go from one to the next. A block that realloc lets grow has more
 * addresses than it uses, if those are plenty.
 *
 * A freed mapping is kept for a second, because its pages are dear: the next request takes the kept
 * one whose touched pages fit best, cut or grown to size, before any new memory; a block that grows
 * takes one whole that held such a block before. What is touched beside a block, its tail, is
 * purged when the block has not changed for a second, when it shrinks, or at once if tails are
 * many. Idle, that is kept or in tails, are at most 64 MiB or 1/8 of the live bytes, and 64 kept
 * mappings; when arenas grow, those make way that were kept for a tick and of which no more than a
 * chunk was touched.
 *
 * Locks: one for both lists. A live block's descriptor belongs to who may free it; while
 * it is in the list the purger reads it and changes touched_bytes, so its owner takes it out to
 * change it. */
#ifndef POOLMALLOC_HUGE_H
#define POOLMALLOC_HUGE_H

#include "huge_mapping.h"
#include "mutex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HUGE_ABOVE_BYTES = 1 << 20 };

struct huge_blocks {
    struct mutex lock; /* guards all below */
    struct list all;
    size_t bytes;
    size_t tail_bytes; /* that may be resident */
    size_t count;
    struct list kept;  /* freed, newest first */
    size_t kept_bytes; /* that may be resident */
    size_t kept_count;
    uint32_t epoch;
};

extern struct huge_blocks huge_blocks;

/* Memory that may be dirty, see dirty_bytes. bytes: more than SMALL_MAX_BYTES; alignment: a power
 * of two. NULL: out of memory, or a block that a run of pages could hold, where a mapping's
 * addresses, many more than the block's, would be missed. */
void *huge_alloc(size_t bytes, size_t alignment);
/* The same for a block that has outgrown its place, and may go on growing. */
void *huge_alloc_to_grow(size_t bytes);
/* The descriptor of a block that starts exactly here, or NULL. */
struct huge *huge_of(const void *start);
/* Was a block that started exactly here freed not long ago? */
bool huge_is_kept(const void *start);
/* Makes a block that was just handed out read as zero. */
void huge_zero(struct huge *huge);
void huge_free(struct huge *huge);
/* Resizes in place or by moving pages, never by copying.
 * Returns where it is now; NULL: out of memory, it stays as it was. */
void *huge_resize(struct huge *huge, size_t new_bytes);

struct huge_totals {
    size_t live_bytes;
    size_t idle_bytes; /* kept and in tails */
};
struct huge_totals huge_totals(void);

/* Unmaps what was kept, and purges tails that did not change, for that many ticks. Returns their
 * bytes. */
size_t huge_decay(uint32_t ticks);
/* For arenas that grow: unmaps what was kept for a tick, but for the longest. */
void huge_make_way(void);

/* In a forked child: forgets the list if a thread now gone was changing it. */
void huge_abandon_lock(void);

#endif
