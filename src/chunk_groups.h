/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An arena's chunks, arranged so that the one to take a run from is found without asking each:
 * groups of 64, in which a chunk has a place and its usage list, and every group knows the largest
 * run that each list has in it.
 *
 *     group | largest by list: init 0 25 50 75 100 | place 0, 1 .. 63: chunk, list, largest |
 *       |
 *     group | ...
 *
 * A new chunk gets the first free place: as older ones are asked first and fill up, it is the
 * younger that drain, leave and are replaced. Groups are never unmapped.
 * Cost: one step per group and one per place in it.
 *
 * Invariants (chunk_groups_are_valid):
 *  1. A place says what its chunk says.
 *  2. A group's largest is the largest of its places'.
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

/* What a chunk has, or a run wants. */
struct chunk_room {
    uint16_t gap;    /* pages in a row, see longest_gap */
    uint16_t orders; /* 1 + the order of the largest free node of the buddy tree; 0: none */
};

struct chunk_place {
    struct chunk *chunk; /* NULL: the place is free */
    struct chunk_room room;
    uint8_t usage_list;
};

struct chunk_group {
    struct chunk_group *next;
    uint32_t end; /* of the places that were ever used */
    struct chunk_room most[USAGE_LIST_COUNT];
    struct chunk_place places[GROUP_CHUNKS];
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
/* The first chunk of that list that has as much, or NULL. */
struct chunk *chunk_groups_find(const struct chunk_groups *groups, enum chunk_usage usage,
                                struct chunk_room wanted);
/* All leave. What was half changed does not matter. */
void chunk_groups_clear(struct chunk_groups *groups);

bool chunk_groups_are_valid(const struct chunk_groups *groups);

#endif
