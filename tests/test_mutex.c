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

/* Nobody spins for 20 ms: who comes meanwhile sleeps, and all are woken. */
static void sleepers_are_woken(void)
{
    run_crew(hold_long);
    CU_ASSERT_TRUE(guarded >= 1234 && guarded <= 4321);
    CU_ASSERT_TRUE(mutex.waits >= 1);
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static uint32_t numbers[THREADS];

static void tell_own_number(unsigned number)
{
    numbers[number] = self_number();
    sleep_ms(20); /* all live at once */
}

static void every_thread_has_its_number(void)
{
    run_crew(tell_own_number);
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_TRUE(numbers[i] != 0 && numbers[i] >> 31 == 0);
        CU_ASSERT_NOT_EQUAL(numbers[i], self_number());
        for (unsigned j = 0; j < i; j++) {
            CU_ASSERT_NOT_EQUAL(numbers[i], numbers[j]);
        }
    }
}

static void the_word_names_the_holder(void) NO_THREAD_SAFETY_ANALYSIS
{
    CU_ASSERT_TRUE(mutex_try_lock(&mutex));
    CU_ASSERT_EQUAL(atomic_load(&mutex.word), self_number());
    CU_ASSERT_TRUE(mutex_is_held(&mutex));
    CU_ASSERT_FALSE(mutex_try_lock(&mutex));
    mutex_unlock(&mutex);
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
}

static void abandon(void) NO_THREAD_SAFETY_ANALYSIS
{
    static const uint32_t sleeper_waits = UINT32_C(1) << 31;
    uint32_t other = self_number() ^ 2;
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    mutex_lock(&mutex);
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    CU_ASSERT_TRUE(mutex_is_held(&mutex));
    atomic_store(&mutex.word, self_number() | sleeper_waits);
    CU_ASSERT_FALSE(mutex_abandon(&mutex));
    atomic_store(&mutex.word, other);
    CU_ASSERT_TRUE(mutex_abandon(&mutex));
    CU_ASSERT_FALSE(mutex_is_held(&mutex));
    atomic_store(&mutex.word, other | sleeper_waits);
    CU_ASSERT_TRUE(mutex_abandon(&mutex));
    CU_ASSERT_TRUE(mutex_try_lock(&mutex));
}

static const struct test tests[] = {
    {"one holder at a time", one_holder_at_a_time},
    {"sleepers are woken", sleepers_are_woken},
    {"every thread has its number", every_thread_has_its_number},
    {"the word names the holder", the_word_names_the_holder},
    {"abandon frees what others held", abandon},
    {NULL, NULL},
};

int main(void)
{
    return test_main("mutex", tests);
}
