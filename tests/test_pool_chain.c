/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains of rings: they grow with what is put, keep every object, and free rings only while no
 * thief is inside. */
#include "pool_chain.h"

#include "test.h"

#include <pthread.h>

enum { OBJECTS = 5000, ROUNDS = 300, BATCH = 8 };

static struct chain chain;
static uint8_t times_out[OBJECTS + 1];

static uint32_t take_out(void *const *objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        times_out[(uintptr_t)objects[i]]++;
    }
    return count;
}

static void push_all(void)
{
    for (uintptr_t i = 1; i <= OBJECTS; i++) {
        void *object = (void *)i;
        CU_ASSERT_EQUAL_FATAL(chain_push(&chain, &object, 1), 1);
    }
}

static int rings(void)
{
    int count = 0;
    for (int level = 0; level < CHAIN_RINGS; level++) {
        count += atomic_load(&chain.rings[level]) != NULL;
    }
    return count;
}

static bool all_came_out_once(void)
{
    int wrong = 0;
    for (int i = 1; i <= OBJECTS; i++) {
        wrong += times_out[i] != 1;
        times_out[i] = 0;
    }
    return wrong == 0;
}

static void grows_and_is_trimmed(void)
{
    void *objects[BATCH];
    push_all();
    CU_ASSERT_EQUAL(rings(), 8); /* 32 + 64 + ... + 4096 hold 8160 */
    chain_trim(&chain);
    CU_ASSERT_EQUAL(rings(), 8);
    while (take_out(objects, chain_pop(&chain, objects, BATCH)) > 0) {
    }
    CU_ASSERT_TRUE(all_came_out_once());
    chain_trim(&chain);
    CU_ASSERT_EQUAL(rings(), 1);
    push_all();
    while (take_out(objects, chain_steal(&chain, objects, BATCH)) > 0) {
    }
    CU_ASSERT_TRUE(all_came_out_once());
    chain_fini(&chain);
}

static void stays_while_a_thief_is_inside(void)
{
    void *objects[BATCH];
    push_all();
    while (take_out(objects, chain_pop(&chain, objects, BATCH)) > 0) {
    }
    atomic_store(&chain.thieves, 1);
    chain_trim(&chain);
    CU_ASSERT_EQUAL(rings(), 8);
    atomic_store(&chain.thieves, 0);
    chain_trim(&chain);
    CU_ASSERT_EQUAL(rings(), 1);
    chain_fini(&chain);
}

static _Atomic bool finished;
static _Atomic int stolen;

static void *thief(void *unused)
{
    void *objects[BATCH];
    while (!finished) {
        stolen += (int)chain_steal(&chain, objects, BATCH);
    }
    return unused;
}

static void trims_under_thieves(void)
{
    pthread_t thread;
    void *objects[BATCH];
    int popped = 0;
    pthread_create(&thread, NULL, thief, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        push_all();
        uint32_t count;
        while ((count = chain_pop(&chain, objects, BATCH)) > 0) {
            popped += (int)count;
        }
        chain_trim(&chain);
    }
    finished = true;
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(popped + stolen, ROUNDS * OBJECTS);
    chain_fini(&chain);
}

static const struct test tests[] = {
    {"a chain grows, keeps all and is trimmed", grows_and_is_trimmed},
    {"rings stay while a thief is inside", stays_while_a_thief_is_inside},
    {"trimming and stealing at the same time", trims_under_thieves},
    {NULL, NULL},
};

int main(void)
{
    return test_main("pool_chain", tests);
}
