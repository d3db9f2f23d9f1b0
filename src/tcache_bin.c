/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tcache_bin.h"

#include "bin.h"
#include "budget.h"

/* An empty and full stack: below its only top lies NULL, and the top is its limit. */
void *tcache_no_slots[1];

void tcache_close_bin(struct tcache *tcache, unsigned class)
{
    tcache->loaded[class] = NULL;
    tcache->tops[class] = &tcache_no_slots[1];
    tcache->limits[class] = &tcache_no_slots[1];
}

void tcache_load(struct tcache *tcache, unsigned class, struct magazine *magazine)
{
    tcache->loaded[class] = magazine;
    tcache->tops[class] = magazine->slots + magazine->count;
    tcache->limits[class] = magazine->slots + magazine->capacity;
}

void tcache_unload(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    loaded->count = (uint16_t)(tcache->tops[class] - loaded->slots);
}

struct magazine *tcache_take_spare(struct tcache *tcache, unsigned class)
{
    /* Only the owner puts a spare there, so NULL stays NULL. */
    if (atomic_load_explicit(&tcache->spare[class], memory_order_relaxed) == NULL) {
        return NULL;
    }
    if (is_alone()) {
        struct magazine *spare = atomic_load_explicit(&tcache->spare[class], memory_order_relaxed);
        atomic_store_explicit(&tcache->spare[class], NULL, memory_order_relaxed);
        return spare;
    }
    return atomic_exchange_explicit(&tcache->spare[class], NULL, memory_order_acquire);
}

void tcache_put_spare(struct tcache *tcache, unsigned class, struct magazine *magazine)
{
    atomic_store_explicit(&tcache->spare[class], magazine, memory_order_release);
}

/* The fences keep the compiler from moving a change out of its brackets; the other CPUs' stores are
 * in order for a child because fork stops a thread at its first store to a page already copied. */
void tcache_begin_change(struct tcache *tcache, unsigned class)
{
    atomic_store_explicit(&tcache->changing, class, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

void tcache_end_change(struct tcache *tcache)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&tcache->changing, CLASS_NONE, memory_order_relaxed);
}

/* Magazines stand in the byte budget with their capacity, wherever they are. */
struct magazine *tcache_create_magazine(unsigned class, unsigned capacity)
{
    size_t bytes = capacity * size_class_bytes(class);
    if (!budget_reserve(bytes)) {
        return NULL;
    }
    struct magazine *magazine = magazine_create(capacity);
    if (magazine == NULL) {
        budget_release(bytes);
    }
    return magazine;
}

void tcache_discard(unsigned class, struct magazine *magazine)
{
    budget_release(magazine->capacity * size_class_bytes(class));
    magazine_destroy(magazine);
}

unsigned tcache_next_capacity(const struct magazine *loaded, unsigned class)
{
    unsigned most = size_classes[class].magazine_slots;
    unsigned wanted = loaded == NULL ? (most + 7) / 8 : 2U * loaded->capacity;
    return wanted < most ? wanted : most;
}

void tcache_flush_magazine(unsigned class, struct magazine *magazine)
{
    bin_flush(class, magazine->slots, magazine->count);
    magazine->count = 0;
}

void tcache_flush_bin(struct tcache *tcache, unsigned class)
{
    struct magazine *loaded = tcache->loaded[class];
    tcache_begin_change(tcache, class);
    struct magazine *spare = tcache_take_spare(tcache, class);
    if (loaded != NULL) {
        tcache_unload(tcache, class);
        tcache_close_bin(tcache, class);
        tcache_flush_magazine(class, loaded);
        tcache_discard(class, loaded);
    }
    if (spare != NULL) {
        tcache_flush_magazine(class, spare);
        tcache_discard(class, spare);
    }
    tcache_end_change(tcache);
}

/* Magazines with slots go to the depot, where the next thread finds them. */
static void retire_magazine(struct arena *arena, unsigned class, struct magazine *magazine)
{
    if (magazine == NULL) {
        return;
    }
    if (magazine->count != 0) {
        depot_put(&arena->depots[class], magazine);
    } else {
        tcache_discard(class, magazine);
    }
}

void tcache_retire_bins(struct tcache *tcache)
{
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        tcache_begin_change(tcache, class);
        if (tcache->loaded[class] != NULL) {
            tcache_unload(tcache, class);
            retire_magazine(tcache->arena, class, tcache->loaded[class]);
            tcache_close_bin(tcache, class);
        }
        retire_magazine(tcache->arena, class, tcache_take_spare(tcache, class));
    }
    tcache_end_change(tcache);
}

unsigned tcache_cached_slots(struct tcache *tcache, unsigned class)
{
    const struct magazine *loaded = tcache->loaded[class];
    const struct magazine *spare =
        atomic_load_explicit(&tcache->spare[class], memory_order_acquire);
    ptrdiff_t count = loaded == NULL ? 0 : tcache->tops[class] - loaded->slots;
    if (loaded != NULL && (count < 0 || count > loaded->capacity)) {
        count = 0; /* the owner swapped magazines between the two reads */
    }
    return (unsigned)count + (spare == NULL ? 0U : spare->count);
}

bool tcache_is_valid(struct tcache *tcache)
{
    for (unsigned class = 0; class < CLASS_HUGE; class ++) {
        const struct magazine *loaded = tcache->loaded[class];
        void **top = tcache->tops[class];
        bool is_valid = loaded == NULL
                            ? top == &tcache_no_slots[1] && tcache->limits[class] == top
                            : top >= loaded->slots && top <= tcache->limits[class] &&
                                  tcache->limits[class] == loaded->slots + loaded->capacity &&
                                  loaded->guard == NULL;
        if (!is_valid) {
            return false;
        }
    }
    return true;
}
