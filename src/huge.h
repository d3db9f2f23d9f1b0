/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests above a chunk: a mapping each, given back when freed.
 *
 * Locks: one for the list of all; a live block's descriptor belongs to who may free it. */
#ifndef POOLMALLOC_HUGE_H
#define POOLMALLOC_HUGE_H

#include "list.h"
#include "mutex.h"

#include <stddef.h>
#include <stdint.h>

struct huge {
    struct list link; /* in huge_blocks.all; guarded by its lock */
    void *start;      /* NULL: descriptor is unused */
    size_t bytes;     /* mapped, whole OS pages */
    uint32_t epoch;   /* the list's when it was entered, see arena.h on fork */
};

struct huge_blocks {
    struct mutex lock; /* guards all below */
    struct list all;
    struct huge *unused; /* recycled descriptors, linked by link.next */
    size_t bytes;
    size_t count;
    uint32_t epoch;
};

extern struct huge_blocks huge_blocks;

/* Zeroed memory. bytes: more than NORMAL_MAX_BYTES; alignment: a power of two.
 * NULL: out of memory. */
void *huge_alloc(size_t bytes, size_t alignment);
/* The descriptor of a block that starts exactly here, or NULL. */
struct huge *huge_of(const void *start);
void huge_free(struct huge *huge);
/* Resizes in place or by moving pages, never by copying. new_bytes: more than NORMAL_MAX_BYTES.
 * Returns where it is now; NULL: out of memory, it stays as it was. */
void *huge_resize(struct huge *huge, size_t new_bytes);

/* In a forked child: forgets the list if a thread now gone was changing it. */
void huge_abandon_lock(void);

#endif
