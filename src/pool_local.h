/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread's share of one object pool: a small private stack, and two chains that others may
 * steal from.
 *
 *     thread's table                pool_local
 *     | id, local | --------------> gate, busy, top --> | NULL | a | b | c |     private, 16
 *     | id, local |   by index      chains[0], chains[1]: fresh and victim generation
 *
 * A tick turns the generations over by changing one number of the pool: the fresh chains of all
 * threads become the victims, the emptied victims become fresh. Private stacks are spilled into
 * the victims at the same time.
 *
 * Invariants
 *  1. Between local_enter and local_leave the owner alone touches the stack and the owner's side
 *     of the chains; at other times an ager that holds the claim may, as if it were the owner.
 *  2. stack[0] is NULL: an empty stack needs no test of its own. limit == stack: the pool counts
 *     every object, so the stack has no room and both fast paths fail.
 *  3. gate is the tick at which the owner last settled; or GATE_SPILLED, an ager has emptied the
 *     stack since; or GATE_CLAIMED, an ager is at it. Only the first lets fast paths through.
 *
 * The claim needs no atomic operation of the owner: it stores busy and loads the gate; an ager
 * stores the gate, makes every running thread pass a memory barrier (membarrier), and loads busy.
 * One of both sees the other (Dekker). An ager never waits: it skips who is busy.
 *
 * Source: Go's sync.Pool (private slot, stealing, victim generation). The claim is the asymmetric
 * barrier of liburcu's memb flavour; Go stops the world instead. */
#ifndef POOLMALLOC_POOL_LOCAL_H
#define POOLMALLOC_POOL_LOCAL_H

#include "compiler.h"
#include "pool_chain.h"
#include "tick.h"
#include "tcache.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOCAL_STACK_OBJECTS = 16,
    LOCAL_ALIGNMENT = 128, /* two cache lines: the hardware prefetches them in pairs */
};

#define GATE_SPILLED (UINT64_C(1) << 32)
#define GATE_CLAIMED (UINT64_C(2) << 32)

enum pool_count { COUNT_GETS, COUNT_MISSES, COUNT_STEALS, COUNT_RESCUES, COUNT_PUTS, COUNT_DROPS };
enum { POOL_COUNTS = COUNT_DROPS + 1 };

struct pool_local {
    void **top;                   /* the newest object, or stack[0]; by invariant 1 */
    void **limit;                 /* const: the last usable element of stack */
    _Atomic uint64_t gate;        /* invariant 3 */
    _Atomic uint32_t busy;        /* 1: the owner is inside */
    _Atomic bool owned;           /* a living thread uses it */
    uint64_t counts[POOL_COUNTS]; /* written by the owner; statistics read it */
    void *stack[1 + LOCAL_STACK_OBJECTS];
    struct pool_local *next;      /* in the pool's list; const once listed */
    struct pool_local *neighbour; /* owner only: where to steal next, NULL: the list's first */
    uint64_t gate_before_claim;   /* the ager's note */
    CACHE_ALIGNED struct chain chains[2];
};

/* The id of a pool without locals: in no table. Others are serial << 32 | place in a table that is
 * large enough, in bytes; a smaller table has another pool there. */
#define POOL_NO_ID UINT64_MAX

static ALWAYS_INLINE const struct pool_entry *pool_entry_at(const struct pool_table *table,
                                                            uint64_t id)
{
    return (const struct pool_entry *)((const char *)table->entries + (id & table->mask));
}

/* The calling thread's local of the pool `id`, or NULL. */
static ALWAYS_INLINE struct pool_local *local_find(uint64_t id)
{
    const struct pool_table *table = tcache_current()->pools;
    const struct pool_entry *entry = pool_entry_at(table, id);
    if (unlikely(entry->id != id)) {
        return NULL;
    }
    if (entry->local == NULL) {
        __builtin_unreachable(); /* only empty entries have none, and their id is no pool's */
    }
    return entry->local;
}

/* Owner only. False: the gate does not let a fast path through; the slow path enters again. */
static ALWAYS_INLINE bool local_enter(struct pool_local *local)
{
    /* relaxed store and load: ordered by the ager's membarrier, here only for the compiler */
    atomic_store_explicit(&local->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    /* acquire: pairs with the release in local_unclaim */
    return likely(atomic_load_explicit(&local->gate, memory_order_acquire) == tick_count());
}

static ALWAYS_INLINE void local_leave(struct pool_local *local)
{
    /* release: pairs with the acquire in local_is_claimed */
    atomic_store_explicit(&local->busy, 0, memory_order_release);
}

static inline bool local_is_entered(const struct pool_local *local)
{
    return atomic_load_explicit(&local->busy, memory_order_relaxed) == 1;
}

/* A new local with an owner, or NULL. stack_objects: 0 or LOCAL_STACK_OBJECTS. */
struct pool_local *local_create(uint32_t stack_objects);
/* Frees a local whose stack and chains are empty and that nobody else can reach. */
void local_destroy(struct pool_local *local);

/* Owner only. Enters, waiting while an ager holds the claim. Returns what the gate was. */
uint64_t local_enter_slow(struct pool_local *local);

/* Entered owner or claimed: moves the private stack into chains[which]. */
void local_spill(struct pool_local *local, unsigned which);

/* Agers, one at a time for a local. local_claim notes the claim; after a barrier local_is_claimed
 * tells whether the owner is outside; local_unclaim gives the local back, spilled or as it was. */
bool local_claim(struct pool_local *local);
bool local_is_claimed(struct pool_local *local);
void local_unclaim(struct pool_local *local, uint64_t gate);

/* Makes every running thread of the process pass a memory barrier. False: the kernel cannot. */
bool local_barrier(void);

/* Puts a local into the calling thread's table. False: no memory, or the thread is ending. */
bool table_insert(uint64_t id, struct pool_local *local);

#endif
