/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded deque of object pointers with one owner and any number of thieves, without locks.
 *
 *     ends = head << 32 | tail, both running indexes, modulo capacity in the array
 *
 *       thieves take here                 the owner pushes and pops here
 *             |                                     |
 *     | NULL | a | b | c | d | NULL | NULL | ...
 *              tail            head
 *
 * Invariants
 *  1. Slots in [tail, head) hold objects; whoever moves an end past a slot owns that slot.
 *  2. A slot outside is NULL, or still owned by the thief that moved tail past it. The owner fills
 *     a slot only after seeing its NULL.
 *  3. head - tail <= capacity.
 *
 * The newest objects are at the head, warm in the owner's caches; thieves get the oldest. A batch
 * moves by one atomic operation on `ends`.
 *
 * Source: the deque of Go's sync.Pool (sync/poolqueue.go, poolDequeue); batches are ours. */
#ifndef POOLMALLOC_POOL_RING_H
#define POOLMALLOC_POOL_RING_H

#include <stdatomic.h>
#include <stdint.h>

struct ring {
    _Atomic uint64_t ends;
    uint32_t capacity; /* slots, a power of two; const after ring_init */
    _Atomic(void *) slots[];
};

/* capacity: a power of two up to 2^30. The memory is the caller's. */
void ring_init(struct ring *ring, uint32_t capacity);

/* Owner only. Adds objects in order, the last one becomes the newest. Returns how many fitted. */
uint32_t ring_push(struct ring *ring, void *const *objects, uint32_t count);

/* Owner only. Takes up to `count` of the newest objects, oldest of them first. */
uint32_t ring_pop(struct ring *ring, void **objects, uint32_t count);

/* Any thread. Takes up to `count` of the oldest objects. */
uint32_t ring_steal(struct ring *ring, void **objects, uint32_t count);

static inline uint32_t ring_count(struct ring *ring)
{
    /* relaxed: a hint to everybody but the owner, who wrote what matters to it */
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    return (uint32_t)(ends >> 32) - (uint32_t)ends;
}

#endif
