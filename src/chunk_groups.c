/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chunk_groups.h"

#include "meta.h"

#include <string.h>

static uint8_t most_free_in(const struct chunk *chunk)
{
    return (uint8_t)(CHUNK_ORDER + 1 - chunk->tree[BUDDY_ROOT]);
}

static uint8_t most_free_of(const struct chunk_group *group, unsigned usage)
{
    uint8_t most = 0;
    for (unsigned i = 0; i < group->end; i++) {
        if (group->usage_lists[i] == usage && group->free[i] > most) {
            most = group->free[i];
        }
    }
    return most;
}

static void set_place(struct chunk_group *group, unsigned place, uint8_t usage, uint8_t free)
{
    uint8_t old_usage = group->usage_lists[place];
    uint8_t old_free = group->free[place];
    group->usage_lists[place] = usage;
    group->free[place] = free;
    if (old_free == group->most_free[old_usage]) {
        group->most_free[old_usage] = most_free_of(group, old_usage);
    }
    if (free > group->most_free[usage]) {
        group->most_free[usage] = free;
    }
}

static unsigned free_place(const struct chunk_group *group)
{
    unsigned place = 0;
    while (place < GROUP_CHUNKS && group->chunks[place] != NULL) {
        place++;
    }
    return place;
}

bool chunk_groups_add(struct chunk_groups *groups, struct chunk *chunk)
{
    struct chunk_group **link = &groups->first;
    while (*link != NULL && free_place(*link) == GROUP_CHUNKS) {
        link = &(*link)->next;
    }
    if (*link == NULL && (*link = meta_alloc(sizeof(**link), sizeof(void *))) == NULL) {
        return false;
    }
    struct chunk_group *group = *link;
    unsigned place = free_place(group);
    group->end = group->end > place ? group->end : (uint8_t)(place + 1);
    group->chunks[place] = chunk;
    chunk->group = group;
    chunk->place = (uint8_t)place;
    groups->counts[chunk->usage_list]++;
    set_place(group, place, chunk->usage_list, most_free_in(chunk));
    return true;
}

void chunk_groups_remove(struct chunk_groups *groups, struct chunk *chunk)
{
    set_place(chunk->group, chunk->place, USAGE_100, 0);
    chunk->group->chunks[chunk->place] = NULL;
    groups->counts[chunk->usage_list]--;
}

void chunk_groups_update(struct chunk_groups *groups, struct chunk *chunk, enum chunk_usage usage)
{
    struct chunk_group *group = chunk->group;
    uint8_t free = most_free_in(chunk);
    if (usage != chunk->usage_list) {
        groups->counts[chunk->usage_list]--;
        groups->counts[usage]++;
        chunk->usage_list = (uint8_t)usage;
    } else if (free == group->free[chunk->place]) {
        return;
    }
    set_place(group, chunk->place, (uint8_t)usage, free);
}

struct chunk *chunk_groups_find(const struct chunk_groups *groups, enum chunk_usage usage,
                                unsigned order)
{
    struct chunk_group *group = groups->first;
    while (group != NULL && group->most_free[usage] <= order) {
        group = group->next;
    }
    if (group == NULL) {
        return NULL;
    }
    unsigned place = 0;
    while (group->usage_lists[place] != usage || group->free[place] <= order) {
        place++;
    }
    return group->chunks[place];
}

void chunk_groups_clear(struct chunk_groups *groups)
{
    for (struct chunk_group *group = groups->first; group != NULL; group = group->next) {
        struct chunk_group *next = group->next;
        memset(group, 0, sizeof(*group));
        group->next = next;
    }
    memset(groups->counts, 0, sizeof(groups->counts));
}

static bool group_is_valid(const struct chunk_group *group)
{
    for (unsigned i = 0; i < GROUP_CHUNKS; i++) {
        const struct chunk *chunk = group->chunks[i];
        if (chunk == NULL ? group->free[i] != 0
                          : i >= group->end || chunk->group != group || chunk->place != i ||
                                chunk->usage_list != group->usage_lists[i] ||
                                most_free_in(chunk) != group->free[i]) {
            return false;
        }
    }
    for (unsigned usage = 0; usage < USAGE_LIST_COUNT; usage++) {
        if (group->most_free[usage] != most_free_of(group, usage)) {
            return false;
        }
    }
    return true;
}

bool chunk_groups_are_valid(const struct chunk_groups *groups)
{
    for (const struct chunk_group *group = groups->first; group != NULL; group = group->next) {
        if (!group_is_valid(group)) {
            return false;
        }
    }
    return true;
}
