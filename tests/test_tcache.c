/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tcache.h, invariants 1 to 3 after every step: no block is handed out twice whatever moves between
 * bins, magazines, depots and threads; magazines grow with use and are given back when idle; a
 * thread that ends hands over what it cached, and its last destructors still allocate. */
#include "tcache.h"

#include "bin.h"
#include "budget.h"
#include "config.h"
#include "meta.h"
#include "os.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tick.h"

#include "random.h"
#include "test.h"

#include <pthread.h>

enum { HELD = 4000, STEPS = 60000, SLOW_CALLS = 200, CLASS_64 = 4, CLASS_PACE = 84 };

static void *held[HELD];
static uint32_t held_bytes[HELD];

static bool is_valid(void)
{
    return tcache_is_valid(tcache_current());
}

/* Slow calls of a class of its own, so that the cache looks at the clock and ages. */
static void make_slow_calls(void)
{
    for (unsigned i = 0; i < SLOW_CALLS; i++) {
        tcache_free_slow(CLASS_PACE, tcache_alloc_slow(CLASS_PACE, 1));
    }
}

static void let_a_tick_pass(void)
{
    tick_advance();
    make_slow_calls();
}

static void stamp(unsigned i)
{
    memset(held[i], (int)i, held_bytes[i]);
}

static bool is_stamped(unsigned i)
{
    const unsigned char *bytes = held[i];
    for (uint32_t j = 0; j < held_bytes[i]; j++) {
        if (bytes[j] != (unsigned char)i) {
            return false;
        }
    }
    return true;
}

static void step(struct random *random)
{
    unsigned i = random_below(random, HELD);
    if (held[i] != NULL) {
        CU_ASSERT_TRUE_FATAL(is_stamped(i));
        pm_free(held[i]);
        held[i] = NULL;
    } else {
        held_bytes[i] = random_between(random, 1, random_below(random, 64) == 0 ? 100000 : 700);
        held[i] = pm_malloc(held_bytes[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(held[i]);
        CU_ASSERT_EQUAL((uintptr_t)held[i] % SLOT_ALIGN_BYTES, 0);
        stamp(i);
    }
}

static void validate_everything(void)
{
    CU_ASSERT_TRUE_FATAL(is_valid());
    for (unsigned i = 0; i < arena_count(); i++) {
        CU_ASSERT_TRUE_FATAL(arena_is_valid(arena_at(i)));
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            CU_ASSERT_TRUE_FATAL(bin_is_valid(arena_at(i), class));
        }
    }
}

static void blocks_are_never_shared(void)
{
    struct random random = random_from(5);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&random);
        CU_ASSERT_TRUE_FATAL(is_valid());
        if (i % 4096 == 0) {
            let_a_tick_pass();
            validate_everything();
        }
    }
    for (unsigned i = 0; i < HELD; i++) {
        CU_ASSERT_TRUE(held[i] == NULL || is_stamped(i));
        pm_free(held[i]);
    }
    tcache_flush();
    purge_all();
    validate_everything();
    CU_ASSERT_EQUAL(tcache_own_arena()->used_pages, 0);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), 0);
}

static void take_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        held[i] = pm_malloc(64);
    }
}

static void give_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pm_free(held[i]);
    }
}

static unsigned capacity(void)
{
    const struct magazine *loaded = tcache_current()->loaded[CLASS_64];
    return loaded == NULL ? 0 : loaded->capacity;
}

static void magazines_grow_with_use(void)
{
    unsigned most = size_classes[CLASS_64].magazine_slots;
    unsigned before = 0;
    take_many(1);
    CU_ASSERT_EQUAL(capacity(), (most + 7) / 8);
    for (unsigned i = 0; i < HELD && capacity() < most; i++) {
        take_many(1);
        CU_ASSERT_TRUE(capacity() >= before && capacity() <= most);
        before = capacity();
        CU_ASSERT_TRUE(is_valid());
    }
    CU_ASSERT_EQUAL(capacity(), most);
}

/* A pair loop stays on the fast path; so does one that swings by less than two magazines. */
static void swinging_stays_in_the_cache(void)
{
    take_many(HELD);
    give_many(HELD);
    struct tcache_counts *counts = &tcache_current()->counts[CLASS_64];
    uint64_t slow_allocs = counts->slow_allocs;
    uint64_t slow_frees = counts->slow_frees;
    for (unsigned i = 0; i < 100; i++) {
        take_many(1);
        give_many(1);
    }
    CU_ASSERT_TRUE(counts->slow_allocs <= slow_allocs + 1 && counts->slow_frees <= slow_frees + 1);
    uint64_t refills = tcache_own_arena()->bins[CLASS_64].refill_count;
    uint64_t flushes = tcache_own_arena()->bins[CLASS_64].flush_count;
    for (unsigned i = 0; i < 100; i++) {
        take_many(size_classes[CLASS_64].magazine_slots);
        give_many(size_classes[CLASS_64].magazine_slots);
    }
    CU_ASSERT_EQUAL(tcache_own_arena()->bins[CLASS_64].refill_count, refills);
    CU_ASSERT_EQUAL(tcache_own_arena()->bins[CLASS_64].flush_count, flushes);
}

static void full_magazines_go_to_the_depot_and_come_back(void)
{
    struct depot *depot = &tcache_own_arena()->depots[CLASS_64];
    take_many(HELD - 200);
    give_many(HELD - 200);
    CU_ASSERT_TRUE(atomic_load(&depot->magazine_count) > 0);
    uint32_t cached =
        atomic_load(&depot->slot_count) + tcache_cached_slots(tcache_current(), CLASS_64);
    uint64_t refills = tcache_own_arena()->bins[CLASS_64].refill_count;
    CU_ASSERT_TRUE_FATAL(cached >= HELD - 200 && cached <= HELD);
    take_many(cached);
    CU_ASSERT_EQUAL(atomic_load(&depot->slot_count), 0);
    CU_ASSERT_EQUAL(tcache_own_arena()->bins[CLASS_64].refill_count, refills);
    CU_ASSERT_TRUE(budget_reserved_bytes() <= budget_bytes());
}

static void an_idle_bin_is_flushed(void)
{
    take_many(100);
    give_many(100);
    CU_ASSERT_TRUE(tcache_cached_slots(tcache_current(), CLASS_64) > 0);
    let_a_tick_pass();
    let_a_tick_pass();
    CU_ASSERT_EQUAL(tcache_cached_slots(tcache_current(), CLASS_64), 0);
    CU_ASSERT_EQUAL(capacity(), 0);
    CU_ASSERT_TRUE(is_valid());
}

static void a_used_bin_is_kept(void)
{
    take_many(8);
    for (unsigned i = 0; i < 6; i++) {
        take_many(1);
        CU_ASSERT_NOT_EQUAL(capacity(), 0);
        let_a_tick_pass();
    }
}

static void flush_empties_the_cache(void)
{
    take_many(HELD / 2);
    give_many(HELD / 4);
    tcache_flush();
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        CU_ASSERT_EQUAL(tcache_cached_slots(tcache_current(), class), 0);
    }
    validate_everything();
    take_many(1);
    CU_ASSERT_TRUE(is_valid());
}

static void *use_a_cache(void *unused)
{
    for (unsigned i = 0; i < 300; i++) {
        held[i] = pm_malloc(64);
    }
    give_many(300);
    return unused;
}

static void in_a_thread(void *(*work)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
}

static uint32_t slots_in_depots(void)
{
    uint32_t slots = 0;
    for (unsigned i = 0; i < arena_count(); i++) {
        slots += atomic_load(&arena_at(i)->depots[CLASS_64].slot_count);
    }
    return slots;
}

/* Every slot that lies in no program's hands lies in a bitmap or a depot. */
static bool no_slot_is_lost(void)
{
    uint64_t slots = slots_in_depots();
    uint64_t expected = 0;
    for (unsigned i = 0; i < arena_count(); i++) {
        struct arena *arena = arena_at(i);
        slots += arena->bins[CLASS_64].free_slots;
        expected += (uint64_t)arena->run_count[CLASS_64] * size_classes[CLASS_64].slot_count;
    }
    return slots == expected;
}

/* And the next thread, in whatever arena, takes from there. */
static void a_thread_hands_over_its_cache(void)
{
    pm_free(pm_malloc(1));
    in_a_thread(use_a_cache);
    uint32_t left = slots_in_depots();
    CU_ASSERT_TRUE(left >= 64);
    CU_ASSERT_TRUE(no_slot_is_lost());
    take_many(1);
    CU_ASSERT_TRUE(slots_in_depots() < left);
    validate_everything();
}

static void caches_are_used_again(void)
{
    for (unsigned i = 0; i < 50; i++) {
        in_a_thread(use_a_cache);
    }
    unsigned count = 0;
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        count++;
    }
    CU_ASSERT_EQUAL(count, 1);
}

static pthread_key_t late_key;
static unsigned late_calls;

/* Runs after the cache's own destructor, whose key is older. */
static void late_destructor(void *block)
{
    if (tcache_current()->state == TCACHE_CLOSED) {
        late_calls++;
    }
    pm_free(block);
    void *blocks[20];
    for (unsigned i = 0; i < 20; i++) {
        blocks[i] = pm_malloc(100 + 3000 * i);
        memset(blocks[i], 1, 100 + 3000 * i);
        blocks[i] = pm_realloc(blocks[i], 5000);
    }
    for (unsigned i = 0; i < 20; i++) {
        pm_free(blocks[i]);
    }
}

static void *leave_a_late_block(void *unused)
{
    pthread_setspecific(late_key, pm_malloc(64));
    return unused;
}

static void a_closed_cache_still_works(void)
{
    pm_free(pm_malloc(1)); /* makes the cache's key */
    CU_ASSERT_EQUAL(pthread_key_create(&late_key, late_destructor), 0);
    in_a_thread(leave_a_late_block);
    CU_ASSERT_EQUAL(late_calls, 1);
    validate_everything();
}

/* As a program that builds and drops the same structure again and again. */
static void swing(void)
{
    enum { BLOCKS = 100000 };
    static void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = pm_malloc(128);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        pm_free(blocks[i]);
    }
}

static void the_budget_follows_a_swing(void)
{
    size_t base = config.cache_bytes;
    swing();
    CU_ASSERT_EQUAL(budget_bytes(), base);
    for (unsigned i = 0; i < 10; i++) {
        swing();
    }
    CU_ASSERT(budget_bytes() > 2 * base && budget_bytes() <= 17 * base);
    size_t raised = budget_bytes();
    for (unsigned i = 0; i < 100 && budget_bytes() >= raised / 2; i++) {
        CU_ASSERT_PTR_NOT_NULL(pm_malloc(1 << 20)); /* growth */
    }
    CU_ASSERT(budget_bytes() < raised);
    validate_everything();
}

static void checking_sees_every_call(void)
{
    config_set("check", "true");
    take_many(200);
    struct bin *bin = &tcache_own_arena()->bins[CLASS_64];
    CU_ASSERT_EQUAL(tcache_cached_slots(tcache_current(), CLASS_64), 0);
    CU_ASSERT_EQUAL(bin->refill_count, 200);
    give_many(200);
    CU_ASSERT_EQUAL(bin->flush_count, 200);
    CU_ASSERT_EQUAL(tcache_own_arena()->used_pages, 0);
    CU_ASSERT_TRUE(is_valid());
}

static void the_budget_is_set_by_the_first_call(void)
{
    config_set("cache_bytes", "64K");
    take_many(HELD);
    give_many(HELD);
    CU_ASSERT_EQUAL(budget_bytes(), 64 << 10);
    CU_ASSERT_TRUE(budget_reserved_bytes() <= 64 << 10);
}

/* Calls that find no budget for a magazine go to the bitmaps. */
static void a_spent_budget(void)
{
    config_set("cache_bytes", "0");
    take_many(HELD);
    give_many(HELD);
    CU_ASSERT_TRUE(budget_reserved_bytes() <= budget_bytes());
    CU_ASSERT_TRUE(tcache_cached_slots(tcache_current(), CLASS_64) * 64UL <= budget_bytes());
    validate_everything();
}

/* Neither does a call that finds no memory for a magazine, and the budget stays right. */
static void no_memory_for_a_magazine(void)
{
    take_many(1);
    size_t reserved_bytes = budget_reserved_bytes();
    os_fail_after(0, UINT32_MAX);
    while (meta_alloc(1, 1) != NULL) {
    }
    void *block = pm_malloc(128);
    CU_ASSERT_PTR_NOT_NULL(block);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), reserved_bytes);
    pm_free(block);
    os_fail_after(0, 0);
    validate_everything();
}

/* A limit below the largest small class must not send small blocks to where runs are freed. */
static void a_low_cached_max(void)
{
    config_set("cached_max", "0");
    struct random random = random_from(9);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&random);
    }
    for (unsigned i = 0; i < HELD; i++) {
        CU_ASSERT_TRUE(held[i] == NULL || is_stamped(i));
        pm_free(held[i]);
    }
    validate_everything();
}

static const struct test tests[] = {
    {"blocks are never shared", blocks_are_never_shared},
    {"magazines grow with use", magazines_grow_with_use},
    {"swinging stays in the cache", swinging_stays_in_the_cache},
    {"full magazines go to the depot and come back", full_magazines_go_to_the_depot_and_come_back},
    {"an idle bin is flushed", an_idle_bin_is_flushed},
    {"a used bin is kept", a_used_bin_is_kept},
    {"flush empties the cache", flush_empties_the_cache},
    {"a thread hands over its cache", a_thread_hands_over_its_cache},
    {"caches are used again", caches_are_used_again},
    {"a closed cache still works", a_closed_cache_still_works},
    {"the budget follows a swing, not growth", the_budget_follows_a_swing},
    {"checking sees every call", checking_sees_every_call},
    {"the budget is set by the first call", the_budget_is_set_by_the_first_call},
    {"a spent budget", a_spent_budget},
    {"no memory for a magazine", no_memory_for_a_magazine},
    {"a low cached_max", a_low_cached_max},
    {NULL, NULL},
};

int main(void)
{
    return test_main("tcache", tests);
}
