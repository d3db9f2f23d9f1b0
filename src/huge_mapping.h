/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mapping of a huge block, and what is known about it.
 *
 *     start | block       | tail          | never touched |
 *             bytes         touched_bytes   mapped_bytes
 *
 * Which the page map knows, and as what, is huge.h's.
 *
 * Threads: one at a time for one mapping. */
#ifndef POOLMALLOC_HUGE_MAPPING_H
#define POOLMALLOC_HUGE_MAPPING_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct huge {
    struct list link;          /* in one of huge.h's lists, guarded by their lock; or unused */
    struct huge *next_in_slot; /* likewise: another that begins in the same slot of the page map */
    void *start;               /* NULL: descriptor is unused */
    size_t bytes;              /* of the block, whole OS pages */
    size_t touched_bytes;      /* from start; more than the block's when it has a tail */
    size_t mapped_bytes;
    size_t dirty_bytes; /* from start, as it was handed out: what follows read as zero */
    bool has_grown;     /* the block, or the last one in a kept mapping */
    uint32_t tick;      /* when it was freed, or last changed its size */
    uint32_t epoch;     /* the list's when it was entered, see arena.h on fork */
};

static inline size_t huge_tail_bytes(const struct huge *huge)
{
    return huge->touched_bytes - huge->bytes;
}

/* The length of mapping that a block wants: more than a chunk if it is to grow in it. */
size_t huge_mapped_bytes(size_t bytes, bool is_growing);
/* A new mapping for a block, zeroed. mapped_bytes: as that says; alignment: a power of two.
 * NULL: out of memory. */
struct huge *huge_map(size_t bytes, size_t mapped_bytes, size_t alignment);
void huge_unmap(struct huge *huge);
/* Gives the mapping another length, where it is or elsewhere. false: it stays as it was. */
bool huge_remap(struct huge *huge, size_t mapped_bytes);
/* The block is as long from now on. bytes: within the mapping. */
void huge_set_bytes(struct huge *huge, size_t bytes);
/* Is memory behind all of a new mapping at once, as under mlockall(MCL_FUTURE)? */
bool huge_is_populated(const struct huge *huge);

/* In a forked child: forgets unused descriptors that a thread now gone had in hand. */
void huge_abandon_descriptors(void);

#endif
