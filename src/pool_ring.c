/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_ring.h"

#include "bits.h"

#include <stddef.h>

static const uint64_t one_head = UINT64_C(1) << 32;

static uint64_t join_ends(uint32_t head, uint32_t tail)
{
    return (uint64_t)head << 32 | tail;
}

static _Atomic(void *) *slot_of(struct ring *ring, uint32_t index)
{
    return &ring->slots[index & (ring->capacity - 1)];
}

void ring_init(struct ring *ring, uint32_t capacity)
{
    atomic_init(&ring->ends, 0);
    ring->capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        atomic_init(&ring->slots[i], NULL);
    }
}

uint32_t ring_push(struct ring *ring, void *const *objects, uint32_t count)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint32_t head = (uint32_t)(ends >> 32);
    uint32_t room = ring->capacity - (head - (uint32_t)ends);
    uint32_t pushed = 0;
    while (pushed < smaller(count, room)) {
        _Atomic(void *) *slot = slot_of(ring, head + pushed);
        /* acquire: pairs with the release by which a thief leaves the slot */
        if (atomic_load_explicit(slot, memory_order_acquire) != NULL) {
            break;
        }
        /* relaxed: published by the release below */
        atomic_store_explicit(slot, objects[pushed], memory_order_relaxed);
        pushed++;
    }
    /* release: pairs with the acquire in ring_steal. A carry out of head falls off the word. */
    atomic_fetch_add_explicit(&ring->ends, pushed * one_head, memory_order_release);
    return pushed;
}

uint32_t ring_pop(struct ring *ring, void **objects, uint32_t count)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint32_t head;
    uint32_t taken;
    do {
        head = (uint32_t)(ends >> 32);
        taken = (uint32_t)smaller(count, head - (uint32_t)ends);
        if (taken == 0) {
            return 0;
        }
        /* relaxed: the owner filled these slots itself */
    } while (!atomic_compare_exchange_weak_explicit(&ring->ends, &ends,
                                                    join_ends(head - taken, (uint32_t)ends),
                                                    memory_order_relaxed, memory_order_relaxed));
    for (uint32_t i = 0; i < taken; i++) {
        _Atomic(void *) *slot = slot_of(ring, head - taken + i);
        objects[i] = atomic_load_explicit(slot, memory_order_relaxed);
        atomic_store_explicit(slot, NULL, memory_order_relaxed);
    }
    return taken;
}

uint32_t ring_steal(struct ring *ring, void **objects, uint32_t count)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint32_t tail;
    uint32_t taken;
    do {
        tail = (uint32_t)ends;
        taken = (uint32_t)smaller(count, (uint32_t)(ends >> 32) - tail);
        if (taken == 0) {
            return 0;
        }
        /* acquire: pairs with the release in ring_push, so the slots and objects are seen */
    } while (!atomic_compare_exchange_weak_explicit(&ring->ends, &ends,
                                                    join_ends((uint32_t)(ends >> 32), tail + taken),
                                                    memory_order_acquire, memory_order_relaxed));
    for (uint32_t i = 0; i < taken; i++) {
        _Atomic(void *) *slot = slot_of(ring, tail + i);
        objects[i] = atomic_load_explicit(slot, memory_order_relaxed);
        /* release: pairs with the acquire in ring_push, invariant 2 */
        atomic_store_explicit(slot, NULL, memory_order_release);
    }
    return taken;
}
