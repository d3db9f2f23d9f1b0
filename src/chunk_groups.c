/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chunk_groups.h"

#include "meta.h"

#include <string.h>

static struct chunk_room room_in(const struct chunk *chunk)
{
    return (struct chunk_room){chunk->longest_gap, (uint16_t)buddy_orders(chunk->tree)};
}

static bool is_enough(struct chunk_room has, struct chunk_room wanted)
{
    return has.gap >= wanted.gap && has.orders >= wanted.orders;
}

static struct chunk_room most_of(struct chunk_room a, struct chunk_room b)
{
    return (struct chunk_room){(uint16_t)larger(a.gap, b.gap),
                               (uint16_t)larger(a.orders, b.orders)};
}

static struct chunk_room most_in(const struct chunk_group *group, unsigned usage)
{
    struct chunk_room most = {0};
    for (unsigned i = 0; i < group->end; i++) {
        if (group->places[i].usage_list == usage) {
            most = most_of(most, group->places[i].room);
        }
    }
    return most;
}

static void set_place(struct chunk_group *group, unsigned index, uint8_t usage,
                      struct chunk_room room)
{
    struct chunk_place *place = &group->places[index];
    struct chunk_room *old_most = &group->most[place->usage_list];
    bool was_most = place->room.gap == old_most->gap || place->room.orders == old_most->orders;
    uint8_t old_usage = place->usage_list;
    place->usage_list = usage;
    place->room = room;
    if (was_most) {
        *old_most = most_in(group, old_usage);
    }
    group->most[usage] = most_of(group->most[usage], room);
}

static unsigned free_place(const struct chunk_group *group)
{
    unsigned index = 0;
    while (index < GROUP_CHUNKS && group->places[index].chunk != NULL) {
        index++;
    }
    return index;
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
    unsigned index = free_place(group);
    group->end = (uint32_t)larger(group->end, index + 1);
    group->places[index].chunk = chunk;
    chunk->group = group;
    chunk->place = (uint8_t)index;
    groups->counts[chunk->usage_list]++;
    set_place(group, index, chunk->usage_list, room_in(chunk));
    return true;
}

void chunk_groups_remove(struct chunk_groups *groups, struct chunk *chunk)
{
    set_place(chunk->group, chunk->place, USAGE_100, (struct chunk_room){0});
    chunk->group->places[chunk->place].chunk = NULL;
    groups->counts[chunk->usage_list]--;
}

void chunk_groups_update(struct chunk_groups *groups, struct chunk *chunk, enum chunk_usage usage)
{
    const struct chunk_place *place = &chunk->group->places[chunk->place];
    struct chunk_room room = room_in(chunk);
    if (usage != chunk->usage_list) {
        groups->counts[chunk->usage_list]--;
        groups->counts[usage]++;
        chunk->usage_list = (uint8_t)usage;
    } else if (room.gap == place->room.gap && room.orders == place->room.orders) {
        return;
    }
    set_place(chunk->group, chunk->place, (uint8_t)usage, room);
}

struct chunk *chunk_groups_find(const struct chunk_groups *groups, enum chunk_usage usage,
                                struct chunk_room wanted)
{
    const struct chunk_group *group = groups->first;
    while (group != NULL && !is_enough(group->most[usage], wanted)) {
        group = group->next;
    }
    for (unsigned i = 0; group != NULL && i < group->end; i++) {
        const struct chunk_place *place = &group->places[i];
        if (place->usage_list == usage && is_enough(place->room, wanted)) {
            return place->chunk;
        }
    }
    return NULL;
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
        const struct chunk_place *place = &group->places[i];
        struct chunk_room room = {0};
        if (place->chunk != NULL) {
            room = room_in(place->chunk);
        }
        bool is_right = room.gap == place->room.gap && room.orders == place->room.orders &&
                        (place->chunk == NULL || (i < group->end && place->chunk->group == group &&
                                                  place->chunk->place == i &&
                                                  place->chunk->usage_list == place->usage_list));
        if (!is_right) {
            return false;
        }
    }
    for (unsigned usage = 0; usage < USAGE_LIST_COUNT; usage++) {
        struct chunk_room most = most_in(group, usage);
        if (group->most[usage].gap != most.gap || group->most[usage].orders != most.orders) {
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
