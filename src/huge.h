/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests above a chunk: a mapping each.
 *
 * A freed mapping is kept for a second, and on until the next step of decay, because its pages are
 * dear: the next request takes the kept one that fits best, cut or grown to size, before any new
 * memory. At most 8, and no more of their bytes than 64 MiB or 1/8 of the live ones.
 *
 * Locks: one for both lists; a live block's descriptor belongs to who may free it. */
#ifndef POOLMALLOC_HUGE_H
#define POOLMALLOC_HUGE_H

#include "list.h"
#include "mutex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct huge {
    struct list link; /* in huge_blocks.all; guarded by its lock */
    void *start;      /* NULL: descriptor is unused */
    size_t bytes;     /* mapped, whole OS pages */
    bool is_zeroed;   /* as it was handed out */
    uint32_t tick;    /* kept ones: when it was freed */
    uint32_t epoch;   /* the list's when it was entered, see arena.h on fork */
};

struct huge_blocks {
    struct mutex lock; /* guards all below */
    struct list all;
    struct huge *unused; /* recycled descriptors, linked by link.next */
    size_t bytes;
    size_t count;
    struct list kept; /* freed, newest first */
    size_t kept_bytes;
    size_t kept_count;
    uint32_t epoch;
};

extern struct huge_blocks huge_blocks;

/* Memory that may be dirty, see is_zeroed. bytes: more than NORMAL_MAX_BYTES; alignment: a power of
 * two. NULL: out of memory. */
void *huge_alloc(size_t bytes, size_t alignment);
/* The descriptor of a block that starts exactly here, or NULL. */
struct huge *huge_of(const void *start);
/* Makes the whole block read as zero without touching it. false: the kernel refused. */
bool huge_zero(struct huge *huge);
void huge_free(struct huge *huge);
/* Resizes in place or by moving pages, never by copying. new_bytes: more than NORMAL_MAX_BYTES.
 * Returns where it is now; NULL: out of memory, it stays as it was. */
void *huge_resize(struct huge *huge, size_t new_bytes);

struct huge_totals {
    size_t live_bytes;
    size_t kept_bytes;
};
struct huge_totals huge_totals(void);

/* Unmaps what was kept for that many ticks. Returns the bytes. */
size_t huge_unmap_kept(uint32_t ticks);

/* In a forked child: forgets the list if a thread now gone was changing it. */
void huge_abandon_lock(void);

#endif
