/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_local.h"

#include "poolmalloc.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TABLE_FIRST_ENTRIES = 16 };

struct pool_local *local_create(uint32_t stack_objects)
{
    struct pool_local *local = pm_aligned_alloc(LOCAL_ALIGNMENT, sizeof(*local));
    if (local == NULL) {
        return NULL;
    }
    memset(local, 0, sizeof(*local));
    local->top = local->stack;
    local->limit = local->stack + stack_objects;
    atomic_init(&local->gate, GATE_SPILLED);
    atomic_init(&local->owned, true);
    return local;
}

void local_destroy(struct pool_local *local)
{
    chain_fini(&local->chains[0]);
    chain_fini(&local->chains[1]);
    pm_free(local);
}

uint64_t local_enter_slow(struct pool_local *local)
{
    for (;;) {
        (void)local_enter(local);
        uint64_t gate = atomic_load_explicit(&local->gate, memory_order_acquire);
        if (gate != GATE_CLAIMED) {
            return gate;
        }
        local_leave(local);
        sched_yield();
    }
}

void local_spill(struct pool_local *local, unsigned which)
{
    uint32_t count = (uint32_t)(local->top - local->stack);
    uint32_t pushed = chain_push(&local->chains[which], local->stack + 1, count);
    /* Short of memory for a ring: the rest stays private. */
    memmove(local->stack + 1, local->stack + 1 + pushed, (count - pushed) * sizeof(void *));
    local->top -= pushed;
}

bool local_claim(struct pool_local *local)
{
    uint64_t gate = atomic_load_explicit(&local->gate, memory_order_relaxed);
    if (gate == GATE_SPILLED) {
        return false;
    }
    /* seq_cst, for kernels without membarrier in between: there nothing is claimed of others */
    local->gate_before_claim = atomic_exchange(&local->gate, GATE_CLAIMED);
    return true;
}

bool local_is_claimed(struct pool_local *local)
{
    return atomic_load_explicit(&local->gate, memory_order_relaxed) == GATE_CLAIMED &&
           atomic_load_explicit(&local->busy, memory_order_acquire) == 0;
}

void local_unclaim(struct pool_local *local, uint64_t gate)
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

/* Makes the thread's table reach to `place`. */
static bool table_grow(struct tcache *tcache, uint64_t place)
{
    struct pool_table *old = tcache->pools;
    if (old != &tcache_no_pools && place <= old->mask) {
        return true;
    }
    uint64_t bytes = TABLE_FIRST_ENTRIES * sizeof(struct pool_entry);
    while (bytes <= place) {
        bytes *= 2;
    }
    struct pool_table *table = pm_calloc(1, offsetof(struct pool_table, entries) + bytes);
    if (table == NULL) {
        return false;
    }
    table->mask = bytes - sizeof(struct pool_entry);
    memcpy(table->entries, old->entries, old->mask + sizeof(struct pool_entry));
    tcache->pools = table;
    if (old != &tcache_no_pools) {
        pm_free(old);
    }
    return true;
}

bool table_insert(uint64_t id, struct pool_local *local)
{
    struct tcache *tcache = tcache_own();
    if (tcache == NULL || !table_grow(tcache, (uint32_t)id)) {
        return false;
    }
    *(struct pool_entry *)pool_entry_at(tcache->pools, id) = (struct pool_entry){id, local};
    return true;
}
