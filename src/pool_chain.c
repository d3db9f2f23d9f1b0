/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_chain.h"

#include "poolmalloc.h"

static struct ring *ring_at(struct chain *chain, uint32_t level)
{
    /* acquire: pairs with the release in add_ring; the owner's own loads need none */
    return atomic_load_explicit(&chain->rings[level], memory_order_acquire);
}

COLD NOINLINE static struct ring *add_ring(struct chain *chain, uint32_t level)
{
    uint32_t capacity = (uint32_t)CHAIN_FIRST_CAPACITY << level;
    struct ring *ring = pm_malloc(sizeof(*ring) + capacity * sizeof(ring->slots[0]));
    if (ring != NULL) {
        ring_init(ring, capacity);
        atomic_store_explicit(&chain->rings[level], ring, memory_order_release);
    }
    return ring;
}

uint32_t chain_push(struct chain *chain, void *const *objects, uint32_t count)
{
    uint32_t pushed = 0;
    for (uint32_t level = chain->level; level < CHAIN_RINGS; level++) {
        struct ring *ring = ring_at(chain, level);
        if (ring == NULL) {
            ring = add_ring(chain, level);
        }
        if (ring == NULL) {
            return pushed;
        }
        pushed += ring_push(ring, objects + pushed, count - pushed);
        if (pushed == count) {
            chain->level = level;
            return pushed;
        }
    }
    return pushed;
}

uint32_t chain_pop(struct chain *chain, void **objects, uint32_t count)
{
    for (uint32_t level = chain->level;; level--) {
        struct ring *ring = ring_at(chain, level);
        uint32_t taken = ring == NULL ? 0 : ring_pop(ring, objects, count);
        if (taken > 0 || level == 0) {
            chain->level = level;
            return taken;
        }
    }
}

static uint32_t steal_inside(struct chain *chain, void **objects, uint32_t count)
{
    for (uint32_t level = 0; level < CHAIN_RINGS; level++) {
        /* seq_cst: with the increment before it, against the clearing in chain_trim */
        struct ring *ring = atomic_load(&chain->rings[level]);
        uint32_t taken = ring == NULL ? 0 : ring_steal(ring, objects, count);
        if (taken > 0) {
            return taken;
        }
    }
    return 0;
}

uint32_t chain_steal(struct chain *chain, void **objects, uint32_t count)
{
    /* The first ring stays for ever: without it the chain was never used. */
    if (atomic_load_explicit(&chain->rings[0], memory_order_relaxed) == NULL) {
        return 0;
    }
    atomic_fetch_add(&chain->thieves, 1);
    uint32_t taken = steal_inside(chain, objects, count);
    atomic_fetch_sub(&chain->thieves, 1);
    return taken;
}

static void trim_ring(struct chain *chain, uint32_t level)
{
    struct ring *ring = ring_at(chain, level);
    if (ring == NULL || ring_count(ring) != 0) {
        return;
    }
    /* Either a thief that comes now sees NULL, or we see it inside (both sides seq_cst). */
    atomic_store(&chain->rings[level], NULL);
    if (atomic_load(&chain->thieves) != 0) {
        atomic_store(&chain->rings[level], ring);
        return;
    }
    pm_free(ring);
}

void chain_trim(struct chain *chain)
{
    for (uint32_t level = CHAIN_RINGS - 1; level > 0; level--) {
        trim_ring(chain, level);
    }
    while (chain->level > 0 && ring_at(chain, chain->level) == NULL) {
        chain->level--;
    }
}

void chain_fini(struct chain *chain)
{
    for (uint32_t level = 0; level < CHAIN_RINGS; level++) {
        pm_free(ring_at(chain, level));
    }
}
