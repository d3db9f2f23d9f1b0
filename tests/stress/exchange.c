/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that hand blocks of every kind to each other, come and go, flush, purge and tick: small
 * enough for ThreadSanitizer, which runs it too. Contents are checked, and all structures at the
 * end. */
#ifndef TEST_WITHOUT_CUNIT
#define TEST_WITHOUT_CUNIT
#endif
#include "../test.h"

#include "bin.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tcache.h"
#include "tick.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { WORKERS = 4, GENERATIONS = 6, ROUNDS = 4000, PLACES = 256 };

struct parcel {
    uint32_t bytes;
    uint32_t check; /* says the same in another way */
};

static _Atomic(struct parcel *) places[PLACES];
static _Atomic unsigned damaged;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static struct parcel *wrap(uint32_t *state)
{
    static const uint32_t most[] = {64, 512, 4000, 33000, 70000, 300000, 1200000};
    uint32_t bytes =
        next_random(state) % most[next_random(state) % 7] + (uint32_t)sizeof(struct parcel);
    struct parcel *parcel = pm_malloc(bytes);
    if (parcel == NULL) {
        abort();
    }
    *parcel = (struct parcel){bytes, ~bytes};
    return parcel;
}

static void unwrap(struct parcel *parcel)
{
    if (parcel != NULL) {
        damaged += parcel->check != ~parcel->bytes || pm_usable_size(parcel) < parcel->bytes;
        parcel->check = 0;
        pm_free(parcel);
    }
}

static void disturb(uint32_t random)
{
    if (random % 400 == 0) {
        tcache_flush();
    } else if (random % 400 == 1) {
        purge_all();
    } else if (random % 400 == 2) {
        tick_advance();
    }
}

static void *work(void *seed)
{
    uint32_t state = (uint32_t)(uintptr_t)seed;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t random = next_random(&state);
        struct parcel *mine = random % 8 == 0 ? NULL : wrap(&state);
        unwrap(atomic_exchange(&places[random % PLACES], mine));
        disturb(next_random(&state));
    }
    return NULL;
}

static void handed_from_thread_to_thread(void)
{
    for (uintptr_t generation = 0; generation < GENERATIONS; generation++) {
        pthread_t threads[WORKERS];
        for (uintptr_t i = 0; i < WORKERS; i++) {
            void *seed = (void *)(generation * WORKERS + i + 1);
            CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, work, seed) == 0);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    for (unsigned i = 0; i < PLACES; i++) {
        unwrap(atomic_exchange(&places[i], NULL));
    }
    CU_ASSERT_EQUAL(damaged, 0);
    for (unsigned i = 0; i < arena_count(); i++) {
        CU_ASSERT(arena_is_valid(arena_at(i)));
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            CU_ASSERT(bin_is_valid(arena_at(i), class));
        }
    }
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        CU_ASSERT(tcache_is_valid(tcache));
    }
}

static const struct test tests[] = {
    {"handed from thread to thread", handed_from_thread_to_thread},
    {NULL, NULL},
};

int main(void)
{
    return test_main("exchange", tests);
}
