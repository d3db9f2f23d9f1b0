/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An intrusive, circular, doubly linked list. The head is a node of its own. */
#ifndef POOLMALLOC_LIST_H
#define POOLMALLOC_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_after(struct list *position, struct list *node)
{
    node->prev = position;
    node->next = position->next;
    position->next->prev = node;
    position->next = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

#endif
