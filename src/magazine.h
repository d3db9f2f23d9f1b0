/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded stack of free slots of one class: all that an arena knows of a thread.
 *
 *     header | NULL | slot | slot | slot |      |
 *                   ^ slots[0]          ^ top: the next free place; top[-1] is the next slot
 *
 * The word before the first slot is NULL, so that taking from an empty magazine finds NULL without
 * a test of its own. A magazine moves between threads as one pointer; its slots are never copied.
 * Owner: one thread, or a depot, or a spare place; ownership passes by atomic exchange.
 * Source: Bonwick and Adams 2001, "Magazines and Vmem". */
#ifndef POOLMALLOC_MAGAZINE_H
#define POOLMALLOC_MAGAZINE_H

#include <stddef.h>
#include <stdint.h>
#include <urcu/lfstack.h>

#include "alone.h"

struct magazine {
    struct cds_lfs_node node; /* in a depot or a stock of empty magazines */
    uint16_t count;           /* slots held; stale while a thread has it loaded */
    uint16_t capacity;        /* most slots, at most 1 << room_log2 */
    uint8_t room_log2;        /* which stock it goes back to */
    void *guard;              /* always NULL */
    void *slots[];
};

enum { MAGAZINE_ROOM_LOG2_MAX = 8 };

/* node: may be NULL, then NULL. */
static inline struct magazine *magazine_of(struct cds_lfs_node *node)
{
    return node == NULL ? NULL : caa_container_of(node, struct magazine, node);
}

static inline struct magazine *magazine_next(const struct magazine *magazine)
{
    return magazine_of(magazine->node.next);
}

/* Any thread may push; pops of one stack exclude each other, as lfstack asks. */
static inline void magazine_push(struct __cds_lfs_stack *stack, struct magazine *magazine)
{
    if (is_alone()) {
        magazine->node.next = stack->head == NULL ? NULL : &stack->head->node;
        stack->head = caa_container_of(&magazine->node, struct cds_lfs_head, node);
    } else {
        cds_lfs_push(stack, &magazine->node);
    }
}

static inline struct magazine *magazine_pop(struct __cds_lfs_stack *stack)
{
    if (!is_alone()) {
        return magazine_of(__cds_lfs_pop(stack));
    }
    struct magazine *first = stack->head == NULL ? NULL : magazine_of(&stack->head->node);
    if (first != NULL) {
        struct cds_lfs_node *next = first->node.next;
        stack->head = next == NULL ? NULL : caa_container_of(next, struct cds_lfs_head, node);
    }
    return first;
}

/* An empty magazine. capacity: 1 .. 1 << MAGAZINE_ROOM_LOG2_MAX. NULL: out of memory. */
struct magazine *magazine_create(unsigned capacity);
void magazine_destroy(struct magazine *magazine);

/* In a forked child: a stock is whole at any instant, only its lock may be a gone thread's. */
void magazine_abandon_stocks(void);

#endif
