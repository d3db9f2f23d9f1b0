/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shared stock of one thread in one object pool: rings of doubling capacity, so that it grows
 * with what is put and never moves an object.
 *
 *     rings  | 32 | 64 | 128 | NULL | ...      the owner works at `level`, thieves from the left
 *
 * Invariants
 *  1. Only the owner adds, fills and removes rings; thieves only take out of them.
 *  2. A ring is freed only when it was empty after its pointer was cleared and no thief was inside.
 *
 * Unlike a queue's, its order may be changed by growth: a pool does not promise any.
 * Source: the doubling chain is that of Go's sync.Pool (poolChain); the array is ours: rings stay
 * in place and are reused, so that a thief never follows a link into freed memory. */
#ifndef POOLMALLOC_POOL_CHAIN_H
#define POOLMALLOC_POOL_CHAIN_H

#include "compiler.h"
#include "pool_ring.h"

enum {
    CHAIN_RINGS = 20,
    CHAIN_FIRST_CAPACITY = 32, /* objects in the first ring */
};

struct chain {
    _Atomic(struct ring *) rings[CHAIN_RINGS]; /* written by the owner */
    uint32_t level;                            /* owner only: where it pushed last */
    CACHE_ALIGNED _Atomic uint32_t thieves;    /* threads inside chain_steal */
};

/* Owner only. Returns how many were taken; fewer than `count` when memory is short. */
uint32_t chain_push(struct chain *chain, void *const *objects, uint32_t count);

/* Owner only. Takes up to `count` recently pushed objects, the newest last. */
uint32_t chain_pop(struct chain *chain, void **objects, uint32_t count);

/* Any thread. Takes up to `count` objects pushed long ago. */
uint32_t chain_steal(struct chain *chain, void **objects, uint32_t count);

/* Owner only. Frees empty rings beyond the first. */
void chain_trim(struct chain *chain);

/* Frees all rings of an empty chain that nobody else can reach. */
void chain_fini(struct chain *chain);

#endif
