/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "magazine.h"

#include "bits.h"
#include "meta.h"
#include "mutex.h"

/* Empty magazines by room. The lock serialises pops, as lfstack asks; pushes need none. */
struct magazine_stock {
    struct mutex pop_lock;
    struct __cds_lfs_stack stack;
} CACHE_ALIGNED;

static struct magazine_stock stocks[MAGAZINE_ROOM_LOG2_MAX + 1];

struct magazine *magazine_create(unsigned capacity)
{
    unsigned room_log2 = log2_ceil(capacity);
    struct magazine_stock *stock = &stocks[room_log2];
    struct magazine *magazine = NULL;
    if (!cds_lfs_empty(&stock->stack)) {
        mutex_lock(&stock->pop_lock);
        magazine = magazine_pop(&stock->stack);
        mutex_unlock(&stock->pop_lock);
    }
    if (magazine == NULL) {
        magazine = meta_alloc(sizeof(*magazine) + (sizeof(void *) << room_log2), sizeof(void *));
    }
    if (magazine != NULL) {
        magazine->count = 0;
        magazine->capacity = (uint16_t)capacity;
        magazine->room_log2 = (uint8_t)room_log2;
    }
    return magazine;
}

void magazine_destroy(struct magazine *magazine)
{
    magazine_push(&stocks[magazine->room_log2].stack, magazine);
}

void magazine_abandon_stocks(void)
{
    for (unsigned i = 0; i <= MAGAZINE_ROOM_LOG2_MAX; i++) {
        mutex_abandon(&stocks[i].pop_lock);
    }
}
