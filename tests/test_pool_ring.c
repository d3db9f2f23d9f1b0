/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of pool_ring.h: order at both ends against a plain array, wrapping indexes, limits, and
 * that every object comes out exactly once while an owner and thieves work at the same time. */
#include "pool_ring.h"
#include "test_pool_ring.h"

#include "random.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>

enum { CAPACITY = 8, STEPS = 200000, THIEVES = 2, STRESS_OBJECTS = 200000 };

static struct ring *make_ring(uint32_t capacity, uint32_t first_index)
{
    struct ring *ring = malloc(sizeof(*ring) + capacity * sizeof(ring->slots[0]));
    if (ring == NULL) {
        abort();
    }
    ring_init(ring, capacity);
    atomic_store(&ring->ends, (uint64_t)first_index << 32 | first_index);
    return ring;
}

/* The model: objects[first .. first + count), oldest first. */
static struct {
    uintptr_t objects[STEPS * 4];
    size_t first;
    size_t count;
} model;

static void step_push(struct ring *ring, uintptr_t *next, uint32_t count)
{
    void *batch[4];
    for (uint32_t i = 0; i < count; i++) {
        batch[i] = (void *)(*next + i);
    }
    uint32_t room = CAPACITY - (uint32_t)model.count;
    uint32_t pushed = ring_push(ring, batch, count);
    CU_ASSERT_EQUAL(pushed, count < room ? count : room);
    for (uint32_t i = 0; i < pushed; i++) {
        model.objects[model.first + model.count++] = *next + i;
    }
    *next += pushed;
}

static void step_take(struct ring *ring, bool at_head, uint32_t count)
{
    void *batch[4];
    uint32_t expected = count < model.count ? count : (uint32_t)model.count;
    uint32_t taken = at_head ? ring_pop(ring, batch, count) : ring_steal(ring, batch, count);
    CU_ASSERT_EQUAL(taken, expected);
    size_t from = at_head ? model.first + model.count - taken : model.first;
    for (uint32_t i = 0; i < taken; i++) {
        CU_ASSERT_EQUAL((uintptr_t)batch[i], model.objects[from + i]);
    }
    model.count -= taken;
    model.first += at_head ? 0 : taken;
}

static void behaves_like_an_array(void)
{
    struct ring *ring = make_ring(CAPACITY, UINT32_MAX - 1000); /* both indexes wrap on the way */
    uintptr_t next = 1;
    struct random random = random_from(1);
    for (int step = 0; step < STEPS; step++) {
        uint32_t count = random_between(&random, 1, 4);
        switch (random_below(&random, 3)) {
        case 0:
            step_push(ring, &next, count);
            break;
        case 1:
            step_take(ring, true, count);
            break;
        default:
            step_take(ring, false, count);
        }
        CU_ASSERT_EQUAL(ring_count(ring), model.count);
    }
    free(ring);
}

static void slot_held_by_a_thief_is_not_filled(void)
{
    struct ring *ring = make_ring(2, 0);
    void *objects[] = {(void *)1, (void *)2, (void *)3};
    CU_ASSERT_EQUAL(ring_push(ring, objects, 3), 2);
    /* A thief has moved the tail past both slots and left only the second. */
    atomic_store(&ring->ends, UINT64_C(2) << 32 | 2);
    atomic_store(&ring->slots[1], NULL);
    CU_ASSERT_EQUAL(ring_push(ring, objects, 1), 0);
    atomic_store(&ring->slots[0], NULL);
    CU_ASSERT_EQUAL(ring_push(ring, objects, 3), 2);
    free(ring);
}

static struct ring *shared;
static _Atomic uint8_t seen[STRESS_OBJECTS + 1];
static _Atomic bool finished;

static void mark(void *const *batch, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        atomic_fetch_add(&seen[(uintptr_t)batch[i]], 1);
    }
}

static void *thief(void *unused)
{
    void *batch[3];
    while (!atomic_load(&finished)) {
        uint32_t taken = ring_steal(shared, batch, 3);
        mark(batch, taken);
        if (taken == 0) {
            sched_yield();
        }
    }
    return unused;
}

static void own(void)
{
    void *batch[4];
    for (uintptr_t next = 1; next <= STRESS_OBJECTS;) {
        void *object = (void *)next;
        if (ring_push(shared, &object, 1) == 0) {
            sched_yield();
            continue;
        }
        next++;
        if (next % 3 == 0) {
            mark(batch, ring_pop(shared, batch, 2));
        }
    }
    uint32_t taken;
    while ((taken = ring_pop(shared, batch, 4)) > 0) {
        mark(batch, taken);
    }
}

static void every_object_comes_out_once(void)
{
    pthread_t threads[THIEVES];
    shared = make_ring(64, UINT32_MAX - 100);
    for (int i = 0; i < THIEVES; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, thief, NULL), 0);
    }
    own();
    atomic_store(&finished, true);
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(threads[i], NULL);
    }
    int wrong = 0;
    for (int i = 1; i <= STRESS_OBJECTS; i++) {
        wrong += seen[i] != 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(shared);
}

static const struct test tests[] = {
    {"random steps agree with an array", behaves_like_an_array},
    {"a slot still held by a thief is not filled", slot_held_by_a_thief_is_not_filled},
    {"owner and thieves: every object comes out once", every_object_comes_out_once},
    {"every order of steps of small programs", test_every_schedule},
    {NULL, NULL},
};

int main(void)
{
    return test_main("pool_ring", tests);
}
