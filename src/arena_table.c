/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All arenas: making one, choosing one for a thread, and what a forked child forgets of them. */
#include "arena.h"

#include "cgroup.h"
#include "config.h"
#include "meta.h"
#include "os.h"

struct arena_table arenas;

struct arena *arena_at(unsigned index)
{
    return atomic_load_explicit(&arenas.all[index], memory_order_acquire);
}

unsigned arena_count(void)
{
    return atomic_load_explicit(&arenas.count, memory_order_acquire);
}

struct arena_limit arena_limit(void)
{
    mutex_lock(&arenas.lock);
    if (arenas.limit.count == 0) {
        unsigned affinity = os_cpu_affinity();
        unsigned quota = cgroup_cpu_quota();
        unsigned usable = quota != 0 && quota < affinity ? quota : affinity;
        unsigned wanted = config.arenas != 0 ? (unsigned)config.arenas : usable;
        arenas.limit = (struct arena_limit){
            .count = wanted < ARENA_MAX_COUNT ? wanted : ARENA_MAX_COUNT,
            .affinity_cpus = affinity,
            .quota_cpus = quota,
            .is_configured = config.arenas != 0,
        };
    }
    struct arena_limit limit = arenas.limit;
    mutex_unlock(&arenas.lock);
    return limit;
}

static struct arena *arena_create(unsigned limit)
{
    struct arena *arena = NULL;
    mutex_lock(&arenas.lock);
    unsigned index = arena_count();
    if (index < limit && (arena = meta_alloc(sizeof(*arena), 64)) != NULL) {
        arena->index = index;
        list_init(&arena->all_chunks);
        for (unsigned i = 0; i <= CLASS_SMALL_LAST; i++) {
            list_init(&arena->bins[i].subpages);
        }
        atomic_store_explicit(&arenas.all[index], arena, memory_order_release);
        atomic_store_explicit(&arenas.count, index + 1, memory_order_release);
    }
    mutex_unlock(&arenas.lock);
    return arena;
}

struct arena_pages arena_pages_of_all(void)
{
    struct arena_pages sum = {0};
    for (unsigned i = 0; i < arena_count(); i++) {
        struct arena_pages pages = arena_pages(arena_at(i));
        sum.used += pages.used;
        sum.dirty += pages.dirty;
    }
    return sum;
}

static struct arena *least_used(void)
{
    struct arena *best = NULL;
    uint32_t fewest = UINT32_MAX;
    for (unsigned i = 0; i < arena_count(); i++) {
        struct arena *arena = arena_at(i);
        uint32_t threads = atomic_load_explicit(&arena->thread_count, memory_order_relaxed);
        if (threads < fewest) {
            fewest = threads;
            best = arena;
        }
    }
    return best;
}

/* The first arena needs no look at the CPUs, so a program of one thread never pays for it. */
struct arena *arena_join(void)
{
    struct arena *arena = least_used();
    if (arena == NULL) {
        arena = arena_create(1);
    } else if (atomic_load_explicit(&arena->thread_count, memory_order_relaxed) != 0) {
        struct arena *fresh = arena_create(arena_limit().count);
        arena = fresh != NULL ? fresh : arena;
    }
    if (arena == NULL && (arena = least_used()) == NULL) {
        return NULL;
    }
    atomic_fetch_add_explicit(&arena->thread_count, 1, memory_order_relaxed);
    return arena;
}

void arena_leave(struct arena *arena)
{
    atomic_fetch_sub_explicit(&arena->thread_count, 1, memory_order_relaxed);
}

static void abandon_locks_of(struct arena *arena)
{
    if (mutex_abandon(&arena->lock)) {
        arena->epoch++;
        arena->used_pages = 0;
        arena->dirty_pages = 0;
        list_init(&arena->all_chunks);
        chunk_groups_clear(&arena->chunks);
    }
    for (unsigned i = 0; i <= CLASS_SMALL_LAST; i++) {
        struct bin *bin = &arena->bins[i];
        if (mutex_abandon(&bin->lock)) {
            bin->epoch++;
            bin->free_slots = 0;
            list_init(&bin->subpages);
        }
    }
    for (unsigned i = 0; i <= CLASS_NORMAL_LAST; i++) {
        depot_abandon(&arena->depots[i]);
    }
}

void arena_abandon_locks(void)
{
    if (mutex_abandon(&arenas.lock)) {
        arenas.limit.count = 0; /* looked up again */
    }
    for (unsigned i = 0; i < arena_count(); i++) {
        abandon_locks_of(arena_at(i));
    }
}
