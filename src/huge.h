/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mapping each: requests above a chunk, and what realloc lets grow above 1 MiB, so that it grows
 * without being copied.
 *
 *     start | block       | tail          | never touched |      more than a chunk
 *             bytes         touched_bytes   mapped_bytes
 *
 * A freed mapping is kept for a second, and on until the next step of decay, because its pages are
 * dear: the next request takes the kept one that fits best, cut or grown to size, before any new
 * memory; a block that grows takes it whole. At most 8, and no more of their bytes than 64 MiB or
 * 1/8 of the live ones; when arenas grow, those go that are shorter than a chunk. What is touched
 * and not the block's, its tail, is purged when the block has not changed for a second.
 *
 * Locks: one for both lists, and tails; a live block's descriptor belongs to who may free it. */
#ifndef POOLMALLOC_HUGE_H
#define POOLMALLOC_HUGE_H

#include "list.h"
#include "mutex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct huge {
    struct list link;     /* in huge_blocks.all; guarded by its lock */
    void *start;          /* NULL: descriptor is unused */
    size_t bytes;         /* of the block, whole OS pages */
    size_t touched_bytes; /* from start; more than the block's when it has a tail */
    size_t mapped_bytes;
    bool is_zeroed; /* as it was handed out */
    uint32_t tick;  /* when it was freed, or last changed its size */
    uint32_t epoch; /* the list's when it was entered, see arena.h on fork */
};

struct huge_blocks {
    struct mutex lock; /* guards all below */
    struct list all;
    struct huge *unused; /* recycled descriptors, linked by link.next */
    size_t bytes;
    size_t tail_bytes; /* that may be resident */
    size_t count;
    struct list kept;  /* freed, newest first */
    size_t kept_bytes; /* that may be resident */
    size_t kept_count;
    uint32_t epoch;
};

extern struct huge_blocks huge_blocks;

/* Memory that may be dirty, see is_zeroed. bytes: more than SMALL_MAX_BYTES; alignment: a power of
 * two. NULL: out of memory. */
void *huge_alloc(size_t bytes, size_t alignment);
/* The same for a block that has outgrown its place, and may go on growing. NULL also where a
 * mapping's addresses, many more than the block's, would be missed. */
void *huge_alloc_to_grow(size_t bytes);
/* The descriptor of a block that starts exactly here, or NULL. */
struct huge *huge_of(const void *start);
/* Makes the whole block read as zero without touching it. false: the kernel refused. */
bool huge_zero(struct huge *huge);
void huge_free(struct huge *huge);
/* Resizes in place or by moving pages, never by copying.
 * Returns where it is now; NULL: out of memory, it stays as it was. */
void *huge_resize(struct huge *huge, size_t new_bytes);

struct huge_totals {
    size_t live_bytes;
    size_t kept_bytes; /* with tails */
};
struct huge_totals huge_totals(void);

/* Unmaps what was kept, and purges tails that did not change, for that many ticks. Returns their
 * bytes. */
size_t huge_decay(uint32_t ticks);
/* Unmaps what was kept of a size that arenas serve, for when they grow. */
void huge_unmap_short(void);

/* In a forked child: forgets the list if a thread now gone was changing it. */
void huge_abandon_lock(void);

#endif
