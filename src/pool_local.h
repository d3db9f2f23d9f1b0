/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread's share of one object pool: a small private stack, and two chains that others may
 * steal from.
 *
 *     thread's cache           pool_local
 *     | local | -------------> gate | private | stack | a | b | c |     up to 1 + 15 objects
 *     | local |   by place     chains[0], chains[1]: fresh and victim generation
 *
 * The places of the thread's cache are all that fast paths look at: one per pool, for as many pools
 * as there are places; further ones share them, and whoever comes later takes the place. The
 * thread's table has the locals of all pools, by number.
 *
 * A tick turns the generations over by changing one number of the pool: the fresh chains of all
 * threads become the victims, the emptied victims become fresh. Private stacks are spilled into
 * the victims at the same time.
 *
 * Invariants
 *  1. Between local_enter and local_leave the owner alone touches private, the stack and the
 *     owner's side of the chains; at other times an ager that holds the claim may, as if it were
 *     the owner.
 *  2. A pool whose puts do more than store has GATE_NONE as put_gate, so that fast puts fail; a
 *     pool that counts every object keeps nothing in private and the stack.
 *  3. gate is the pool's address while the owner has settled for this tick; GATE_CLOSED: a tick has
 *     passed since; GATE_SPILLED: an ager has emptied private and the stack since; GATE_CLAIMED: an
 *     ager is at it. Only the first lets fast paths through, and only this pool's: its place may
 *     have another pool's local, or none.
 *  4. A local is freed with its pool if no thread owns it then; an owned one loses its pool, and
 *     its owner's table keeps it until another pool has its number or the thread ends.
 *  5. What is in a place is in the table, or is tcache_no_pool.
 *
 * The claim needs no atomic read-modify-write of the owner: it stores that it is inside and loads
 * the gate; an ager stores the gate, makes every running thread pass a memory barrier (membarrier),
 * and loads who is inside. One of both sees the other (Dekker). An ager never waits: it skips who
 * is inside.
 *
 * private is the newest object: a get after a put needs no stack and its count.
 *
 * Aliasing: what every call reads lies off the start of pools and locals. The first slots of fresh
 * subpages share their low 12 bits, objects included, and a load waits for an older store whose
 * address has the same ones.
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
    LOCAL_STACK_OBJECTS = 15,
    LOCAL_ALIGNMENT = 128, /* two cache lines: the hardware prefetches them in pairs */
};

/* No pool's address. GATE_NONE: what no gate ever is. */
enum { GATE_CLOSED, GATE_SPILLED, GATE_CLAIMED, GATE_NONE };

enum pool_count { COUNT_GETS, COUNT_MISSES, COUNT_STEALS, COUNT_RESCUES, COUNT_PUTS, COUNT_DROPS };
enum { POOL_COUNTS = COUNT_DROPS + 1 };

struct pool_local {
    const struct pm_pool *pool;   /* NULL: destroyed */
    struct pool_local *next;      /* in the pool's list; const once listed */
    struct pool_local *neighbour; /* owner only: where to steal next, NULL: the list's first */
    _Atomic bool owned;           /* a living thread uses it */
    /* All that fast paths use. At the start of a line is what they only store: see Aliasing. */
    CACHE_ALIGNED _Atomic uint32_t inside; /* the owner is: 1, else 0 */
    uint32_t stack_count;
    _Atomic uintptr_t gate;               /* invariant 3 */
    void *private;                        /* NULL: none */
    uint64_t counts[POOL_COUNTS];         /* written by the owner; statistics read it */
    void *stack[LOCAL_STACK_OBJECTS + 1]; /* the last is for private, when both are spilled */
    CACHE_ALIGNED struct chain chains[2];
};

/* Where fast paths of the pool with this number look, in bytes from the thread's cache. */
static inline size_t local_place(uint32_t number)
{
    return offsetof(struct tcache, pools) + number % TCACHE_POOLS * sizeof(struct pool_local *);
}

/* What the calling thread has in a place: never NULL, but maybe not the pool's. */
static ALWAYS_INLINE struct pool_local *local_at(size_t place)
{
    return *(struct pool_local **)((char *)tcache_current() + place);
}

/* Whoever enters must leave, also if the gate, looked at in between, is not open. */
static ALWAYS_INLINE void local_enter(struct pool_local *local)
{
    /* relaxed: ordered before the gate's load by the ager's membarrier, here only for the compiler
     */
    atomic_store_explicit(&local->inside, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static ALWAYS_INLINE uintptr_t local_gate(const struct pool_local *local)
{
    /* acquire: pairs with the release in local_unclaim */
    return atomic_load_explicit(&local->gate, memory_order_acquire);
}

static ALWAYS_INLINE void local_leave(struct pool_local *local)
{
    /* release: pairs with the acquire in local_enter_claimed */
    atomic_store_explicit(&local->inside, 0, memory_order_release);
}

/* A new local of the pool with an owner, or NULL. */
struct pool_local *local_create(const struct pm_pool *pool);
/* The pool of an empty local is no more. */
void local_detach(struct pool_local *local);
/* Frees a local that lost its pool. */
void local_free(struct pool_local *local);

/* Owner only. Enters, waiting while an ager holds the claim. Returns what the gate was. */
uintptr_t local_enter_slow(struct pool_local *local);
static inline bool local_is_entered(const struct pool_local *local)
{
    return atomic_load_explicit(&local->inside, memory_order_relaxed) != 0;
}

/* Entered, claimed, or nobody is in the pool any more. Takes what is private or on the stack. NULL:
 * there is nothing. */
static ALWAYS_INLINE void *local_take(struct pool_local *local)
{
    void *object = local->private;
    if (likely(object != NULL)) {
        local->private = NULL;
        return object;
    }
    return local->stack_count == 0 ? NULL : local->stack[--local->stack_count];
}

/* Entered. False: there is no room. */
static ALWAYS_INLINE bool local_put(struct pool_local *local, void *object)
{
    void *older = local->private;
    if (unlikely(older != NULL)) {
        if (unlikely(local->stack_count >= LOCAL_STACK_OBJECTS)) {
            return false;
        }
        local->stack[local->stack_count++] = older;
    }
    local->private = object;
    return true;
}

/* Entered or claimed: moves the oldest `count` of the stack into chains[which], or fewer when it is
 * short of memory for a ring. Returns how many. */
uint32_t local_spill_oldest(struct pool_local *local, unsigned which, uint32_t count);
/* Entered or claimed: moves what is private and on the stack into chains[which]. */
void local_spill(struct pool_local *local, unsigned which);

/* In a forked child: what a thread that is gone was about to change is lost. */
void local_forget(struct pool_local *local);

/* Any thread. A tick has passed: fast paths of the pool fail until the owner has settled. */
void local_close(struct pool_local *local, const struct pm_pool *pool);

/* Agers, one at a time for a local. local_claim closes and claims, but for what is spilled already;
 * after a barrier local_enter_claimed enters in the owner's place, if that is outside;
 * local_unclaim gives the local back, GATE_SPILLED or GATE_CLOSED. */
bool local_claim(struct pool_local *local);
bool local_enter_claimed(struct pool_local *local);
void local_unclaim(struct pool_local *local, uintptr_t gate);

/* Makes every running thread of the process pass a memory barrier. False: the kernel cannot. */
bool local_barrier(void);

/* The calling thread's local of a pool, or NULL. */
struct pool_local *table_find(uint32_t number, const struct pm_pool *pool);
/* From now on fast paths of that pool find its local. */
void table_put_in_place(uint32_t number, struct pool_local *local);
/* Puts a local into the calling thread's table and its place. False: no memory, or the thread is
 * ending. */
bool table_insert(uint32_t number, struct pool_local *local);
/* Calls `leave` for each local with a pool of an ending thread's table, and frees the rest. */
void table_free(struct pool_table *table, void (*leave)(struct pool_local *));

#endif
