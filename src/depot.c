/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "depot.h"

#include "alone.h"
#include "tick.h"

static void count(struct depot *depot, int magazines, int slots)
{
    counter_add_32(&depot->magazine_count, (uint32_t)magazines);
    counter_add_32(&depot->slot_count, (uint32_t)slots);
}

void depot_put(struct depot *depot, struct magazine *magazine)
{
    tick_wake();
    count(depot, 1, magazine->count);
    magazine_push(&depot->fresh, magazine);
}

struct magazine *depot_take(struct depot *depot)
{
    if (atomic_load_explicit(&depot->magazine_count, memory_order_relaxed) == 0) {
        return NULL;
    }
    mutex_lock(&depot->pop_lock);
    struct magazine *magazine = magazine_pop(&depot->fresh);
    if (magazine == NULL) {
        magazine = magazine_pop(&depot->victim);
    }
    mutex_unlock(&depot->pop_lock);
    if (magazine != NULL) {
        count(depot, -1, -magazine->count);
    }
    return magazine;
}

struct magazine *depot_age(struct depot *depot)
{
    mutex_lock(&depot->pop_lock);
    struct cds_lfs_head *old = __cds_lfs_pop_all(&depot->victim);
    struct cds_lfs_head *fresh = __cds_lfs_pop_all(&depot->fresh);
    depot->victim.head = fresh; /* nobody pushes to victim, takers hold pop_lock */
    mutex_unlock(&depot->pop_lock);
    struct magazine *first = old == NULL ? NULL : magazine_of(&old->node);
    for (struct magazine *magazine = first; magazine != NULL; magazine = magazine_next(magazine)) {
        count(depot, -1, -magazine->count);
    }
    return first;
}

/* A forked child reads what threads now gone wrote: nothing can order it. */
NO_SANITIZE_THREAD static void recount_locked(struct depot *depot) REQUIRES(depot->pop_lock)
{
    const struct __cds_lfs_stack *generations[] = {&depot->fresh, &depot->victim};
    uint32_t magazines = 0;
    uint32_t slots = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct cds_lfs_head *head = generations[i]->head;
        struct magazine *magazine = head == NULL ? NULL : magazine_of(&head->node);
        for (; magazine != NULL; magazine = magazine_of(magazine->node.next)) {
            magazines++;
            slots += magazine->count;
        }
    }
    atomic_store_explicit(&depot->magazine_count, magazines, memory_order_relaxed);
    atomic_store_explicit(&depot->slot_count, slots, memory_order_relaxed);
}

void depot_abandon(struct depot *depot)
{
    mutex_abandon(&depot->pop_lock);
    if (atomic_load_explicit(&depot->magazine_count, memory_order_relaxed) != 0 &&
        mutex_try_lock(&depot->pop_lock)) {
        recount_locked(depot);
        mutex_unlock(&depot->pop_lock);
    }
}
