/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mutex.h"

#include "os.h"

#include <limits.h>
#include <pthread.h>

enum { SPIN_ROUNDS = 64 };

static const uint32_t waiters = UINT32_C(1) << 31;

/* Holds 1 in a process that knows it was forked, or never was. NULL: not watched. */
static _Atomic(_Atomic uint32_t *) fork_mark;

static bool is_noticed(void)
{
    const _Atomic uint32_t *mark = atomic_load_explicit(&fork_mark, memory_order_acquire);
    return mark != NULL && atomic_load_explicit(mark, memory_order_relaxed) != 0;
}

/* What pthread_atfork of glibc calls, by a few instructions of its own in each library; they would
 * lie behind all of our code, on pages that most processes do without. NULL: another libc. */
extern int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
                             void *library) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

static void register_handler(void (*in_child)(void))
{
    if (__register_atfork != NULL) {
        __register_atfork(NULL, NULL, in_child, __dso_handle);
    } else {
        pthread_atfork(NULL, NULL, in_child);
    }
}

static void after_fork_in_child(void)
{
    if (!is_noticed()) {
        mutex_after_fork();
    }
}

void mutex_watch_forks(void)
{
    _Atomic uint32_t *mark = os_map_fork_mark();
    if (mark != NULL) {
        atomic_store_explicit(mark, 1, memory_order_relaxed);
        /* release: pairs with the acquire in is_noticed */
        atomic_store_explicit(&fork_mark, mark, memory_order_release);
    }
    register_handler(after_fork_in_child);
}

void mutex_on_fork(_Atomic bool *is_registered, void (*in_child)(void))
{
    if (!atomic_exchange(is_registered, true)) {
        register_handler(in_child);
    }
}

void mutex_note_fork(void)
{
    _Atomic uint32_t *mark = atomic_load_explicit(&fork_mark, memory_order_acquire);
    if (mark != NULL) {
        atomic_store_explicit(mark, 1, memory_order_relaxed);
    }
}

void mutex_check_fork(void)
{
    if (atomic_load_explicit(&fork_mark, memory_order_relaxed) != NULL && !is_noticed()) {
        mutex_after_fork();
    }
}

void mutex_lock_slow(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        cpu_relax();
        if (atomic_load_explicit(&mutex->word, memory_order_relaxed) == 0 &&
            mutex_try_lock(mutex)) {
            return;
        }
    }
    mutex_check_fork();
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

bool mutex_is_own(struct mutex *mutex)
{
    /* relaxed: only the thread itself stores its number */
    return (atomic_load_explicit(&mutex->word, memory_order_relaxed) & ~waiters) == self_number();
}

bool mutex_abandon(struct mutex *mutex)
{
    uint32_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
    if (word == 0 || (word & ~waiters) == self_number()) {
        return false;
    }
    atomic_store_explicit(&mutex->word, 0, memory_order_relaxed);
    if ((word & waiters) != 0) {
        os_wake(&mutex->word, INT_MAX); /* threads of this child, if it was slow to notice */
    }
    return true;
}
