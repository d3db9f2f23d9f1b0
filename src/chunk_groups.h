/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An arena's chunks, arranged so that the one to take a run from is found without asking each:
 * groups of 64, in which a chunk has a place and its usage list, and every group knows the largest
 * run that each list has in it.
 *
 *     group | most free by list: init 0 25 50 75 100 | place 0, 1 .. 63: chunk, list, most free |
 *       |
 *     group | ...
 *
 * A new chunk gets the first free place: as older ones are asked first and fill up, it is the
 * younger that drain, leave and are replaced.
 * "Most free": 1 + the order of the largest free node of the buddy tree, 0: none.
 * Groups are never unmapped. Cost: one step per group and one per place in it.
 *
 * Invariants (chunk_groups_are_valid):
 *  1. A place says what its chunk says.
 *  2. A group's most is the largest of its places'.
 *
 * Locks: guarded by the owning arena's lock. */
#ifndef POOLMALLOC_CHUNK_GROUPS_H
#define POOLMALLOC_CHUNK_GROUPS_H

#include "chunk.h"

enum chunk_usage {
    USAGE_INIT,
    USAGE_0,
    USAGE_25,
    USAGE_50,
    USAGE_75,
    USAGE_100,
    USAGE_LIST_COUNT,
};

enum { GROUP_CHUNKS = 64 };

struct chunk_group {
    struct chunk_group *next;
    uint8_t end; /* places that were ever used */
    uint8_t most_free[USAGE_LIST_COUNT];
    uint8_t usage_lists[GROUP_CHUNKS];
    uint8_t free[GROUP_CHUNKS];
    struct chunk *chunks[GROUP_CHUNKS]; /* NULL: the place is free */
};

struct chunk_groups {
    struct chunk_group *first;
    uint32_t counts[USAGE_LIST_COUNT];
};

/* chunk: its usage list is set. false: out of memory. */
bool chunk_groups_add(struct chunk_groups *groups, struct chunk *chunk);
void chunk_groups_remove(struct chunk_groups *groups, struct chunk *chunk);
/* Its pages have changed; usage: the list where it belongs now. */
void chunk_groups_update(struct chunk_groups *groups, struct chunk *chunk, enum chunk_usage usage);
/* The first chunk of that list with a free run of 2^order pages, or NULL. */
struct chunk *chunk_groups_find(const struct chunk_groups *groups, enum chunk_usage usage,
                                unsigned order);
/* All leave. What was half changed does not matter. */
void chunk_groups_clear(struct chunk_groups *groups);

bool chunk_groups_are_valid(const struct chunk_groups *groups);

#endif
