/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mutex.h"

#include "os.h"

enum { SPIN_ROUNDS = 64 };

static const uint32_t waiters = UINT32_C(1) << 31;

void mutex_lock_slow(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        cpu_relax();
        if (atomic_load_explicit(&mutex->word, memory_order_relaxed) == 0 &&
            mutex_try_lock(mutex)) {
            return;
        }
    }
    uint32_t wanted = self_number() | waiters;
    for (;;) {
        uint32_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
        if (word == 0) {
            /* acquire: pairs with the release in mutex_unlock */
            if (atomic_compare_exchange_weak_explicit(&mutex->word, &word, wanted,
                                                      memory_order_acquire, memory_order_relaxed)) {
                mutex->waits++;
                return;
            }
        } else if ((word & waiters) != 0 || atomic_compare_exchange_weak_explicit(
                                                &mutex->word, &word, word | waiters,
                                                memory_order_relaxed, memory_order_relaxed)) {
            os_wait(&mutex->word, word | waiters);
        }
    }
}

void mutex_wake_slow(struct mutex *mutex)
{
    os_wake(&mutex->word, 1);
}

bool mutex_abandon(struct mutex *mutex)
{
    uint32_t holder = atomic_load_explicit(&mutex->word, memory_order_relaxed) & ~waiters;
    if (holder == 0 || holder == self_number()) {
        return false;
    }
    atomic_store_explicit(&mutex->word, 0, memory_order_relaxed);
    return true;
}
