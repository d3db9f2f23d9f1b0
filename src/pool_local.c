/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_local.h"

#include "panic.h"
#include "poolmalloc.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TABLE_FIRST_LOCALS = 16 };

struct pool_table {
    uint32_t count;
    struct pool_local *locals[]; /* by the pools' numbers; NULL: not used yet */
};

/* Has no pool, so that its gate lets nobody through. All threads say that they are inside. */
struct pool_local tcache_no_pool;

struct pool_local *local_create(const struct pm_pool *pool)
{
    struct pool_local *local = pm_aligned_alloc(LOCAL_ALIGNMENT, sizeof(*local));
    if (local == NULL) {
        return NULL;
    }
    memset(local, 0, sizeof(*local));
    local->pool = pool;
    atomic_init(&local->gate, GATE_SPILLED);
    atomic_init(&local->owned, true);
    return local;
}

void local_detach(struct pool_local *local)
{
    chain_fini(&local->chains[0]);
    chain_fini(&local->chains[1]);
    local->pool = NULL;
    /* relaxed: nobody is in the pool any more, see pm_pool_destroy */
    atomic_store_explicit(&local->gate, GATE_CLOSED, memory_order_relaxed);
}

void local_free(struct pool_local *local)
{
    pm_assert(local->pool == NULL);
    pm_free(local);
}

uintptr_t local_enter_slow(struct pool_local *local)
{
    for (;;) {
        local_enter(local);
        uintptr_t gate = local_gate(local);
        if (gate != GATE_CLAIMED) {
            return gate;
        }
        local_leave(local);
        sched_yield();
    }
}

uint32_t local_spill_oldest(struct pool_local *local, unsigned which, uint32_t count)
{
    uint32_t pushed = chain_push(&local->chains[which], local->stack, count);
    local->stack_count -= pushed;
    memmove(local->stack, local->stack + pushed, local->stack_count * sizeof(void *));
    return pushed;
}

void local_spill(struct pool_local *local, unsigned which)
{
    if (local->private != NULL && local->stack_count <= LOCAL_STACK_OBJECTS) {
        local->stack[local->stack_count++] = local->private;
        local->private = NULL;
    }
    local_spill_oldest(local, which, local->stack_count);
}

void local_forget(struct pool_local *local)
{
    local->private = NULL;
    local->stack_count = 0;
}

void local_close(struct pool_local *local, const struct pm_pool *pool)
{
    uintptr_t gate = (uintptr_t)pool;
    /* Read before, so that a tick does not take the cache lines of pools nobody uses. */
    if (atomic_load_explicit(&local->gate, memory_order_relaxed) == gate) {
        atomic_compare_exchange_strong(&local->gate, &gate, GATE_CLOSED);
    }
}

bool local_claim(struct pool_local *local)
{
    if (atomic_load_explicit(&local->gate, memory_order_relaxed) == GATE_SPILLED) {
        return false;
    }
    /* seq_cst, for kernels without membarrier in between: there nothing is claimed of others */
    atomic_store(&local->gate, GATE_CLAIMED);
    return true;
}

bool local_enter_claimed(struct pool_local *local)
{
    /* acquire: pairs with the release in local_leave */
    return atomic_load_explicit(&local->inside, memory_order_acquire) == 0;
}

void local_unclaim(struct pool_local *local, uintptr_t gate)
{
    atomic_store_explicit(&local->gate, gate, memory_order_release);
}

static bool membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

bool local_barrier(void)
{
    /* Registering is idempotent and cheap beside the barrier; a forked child must do it anew. */
    return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) ||
           (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
            membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}

/* Makes the thread's table reach to `number`. */
static bool table_grow(struct tcache *tcache, uint32_t number)
{
    struct pool_table *old = tcache->pool_table;
    uint32_t count = old == NULL ? TABLE_FIRST_LOCALS : old->count;
    while (count <= number) {
        count *= 2;
    }
    if (old != NULL && count == old->count) {
        return true;
    }
    struct pool_table *table = pm_calloc(1, sizeof(*table) + count * sizeof(void *));
    if (table == NULL) {
        return false;
    }
    table->count = count;
    if (old != NULL) {
        memcpy(table->locals, old->locals, old->count * sizeof(void *));
    }
    tcache->pool_table = table;
    pm_free(old);
    return true;
}

void table_put_in_place(uint32_t number, struct pool_local *local)
{
    tcache_current()->pools[number % TCACHE_POOLS] = local;
}

struct pool_local *table_find(uint32_t number, const struct pm_pool *pool)
{
    struct pool_table *table = tcache_current()->pool_table;
    struct pool_local *local =
        table != NULL && number < table->count ? table->locals[number] : NULL;
    return local != NULL && local->pool == pool ? local : NULL;
}

bool table_insert(uint32_t number, struct pool_local *local)
{
    struct tcache *tcache = tcache_own();
    if (tcache == NULL || !table_grow(tcache, number)) {
        return false;
    }
    struct pool_local *old = tcache->pool_table->locals[number];
    tcache->pool_table->locals[number] = local;
    table_put_in_place(number, local);
    if (old != NULL) {
        local_free(old);
    }
    return true;
}

void table_free(struct pool_table *table, void (*leave)(struct pool_local *))
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct pool_local *local = table->locals[i];
        if (local != NULL && local->pool != NULL) {
            leave(local);
        } else if (local != NULL) {
            local_free(local);
        }
    }
    pm_free(table);
}
