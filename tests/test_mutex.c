/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mutex.h: one holder at a time, sleepers are woken, the word names the holder, and a forked child
 * frees what others held but never its own. */
#include "mutex.h"

#include "test.h"
#include "threads.h"

#include <time.h>

enum { ROUNDS = 50000 };

static struct mutex mutex;
static unsigned long guarded;

static void count_up(unsigned number)
{
    (void)number;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mutex_lock(&mutex);
        guarded++;
        mutex_unlock(&mutex);
    }
}

static void one_holder_at_a_time(void)
{
    run_crew(count_up);
    CU_ASSERT_EQUAL(guarded, (unsigned long)THREADS * ROUNDS);
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static void sleep_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static void hold_long(unsigned number)
{
    mutex_lock(&mutex);
    guarded = guarded * 10 + number + 1;
    sleep_ms(20);
    mutex_unlock(&mutex);
}

/* Nobody spins for 20 ms, so all but the first sleep, and all are woken. */
static void sleepers_are_woken(void)
{
    run_crew(hold_long);
    CU_ASSERT_TRUE(guarded >= 1234 && guarded <= 4321);
    CU_ASSERT_TRUE(mutex.waits >= THREADS - 1);
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static void the_word_names_the_holder(void)
{
    struct self self = {.thread_id = 42};
    self_current = &self;
    CU_ASSERT_TRUE(mutex_try_lock(&mutex));
    CU_ASSERT_EQUAL(atomic_load(&mutex.word), 42);
    CU_ASSERT_TRUE(mutex_is_held(&mutex));
    CU_ASSERT_FALSE(mutex_try_lock(&mutex));
    mutex_unlock(&mutex);
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static void abandon(void)
{
    static const uint32_t sleeper_waits = UINT32_C(1) << 31;
    struct self self = {.thread_id = 42};
    self_current = &self;
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    mutex_lock(&mutex);
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    CU_ASSERT_TRUE(mutex_is_held(&mutex));
    atomic_store(&mutex.word, 42 | sleeper_waits);
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    atomic_store(&mutex.word, 43);
    CU_ASSERT_TRUE(mutex_abandon(&mutex));
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
    atomic_store(&mutex.word, 43 | sleeper_waits);
    CU_ASSERT_TRUE(mutex_abandon(&mutex));
    CU_ASSERT_TRUE(mutex_try_lock(&mutex));
}

/* Threads without a cache share a number, so nobody can say that such a lock is his. */
static void a_lock_of_the_nameless_is_abandoned(void)
{
    CU_ASSERT_EQUAL(self_current->thread_id, THREAD_ID_NONE);
    mutex_lock(&mutex);
    CU_ASSERT_TRUE(mutex_abandon(&mutex));
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static const struct test tests[] = {
    {"one holder at a time", one_holder_at_a_time},
    {"sleepers are woken", sleepers_are_woken},
    {"the word names the holder", the_word_names_the_holder},
    {"abandon frees what others held", abandon},
    {"a lock of the nameless is abandoned", a_lock_of_the_nameless_is_abandoned},
    {NULL, NULL},
};

int main(void)
{
    return test_main("mutex", tests);
}
