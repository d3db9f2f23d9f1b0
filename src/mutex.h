/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A futex lock of one word that names its holder, so that a forked child can tell the locks of
 * threads that are gone from its own.
 *
 *     word: 0 free, else holder's number (self.h) | WAITERS when somebody sleeps on it
 *
 * Source: Drepper 2011, "Futexes are tricky", mutex 3, with the holder in place of the 1. */
#ifndef POOLMALLOC_MUTEX_H
#define POOLMALLOC_MUTEX_H

#include "alone.h"
#include "compiler.h"
#include "self.h"

#include <stdatomic.h>
#include <stdbool.h>

struct CAPABILITY("mutex") mutex {
    _Atomic uint32_t word;
    uint32_t waits; /* times a thread had to sleep; guarded by this lock */
};

COLD NOINLINE void mutex_lock_slow(struct mutex *mutex);
COLD NOINLINE void mutex_wake_slow(struct mutex *mutex);

static inline bool mutex_try_lock(struct mutex *mutex)
    TRY_ACQUIRES(true, *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    uint32_t free_word = 0;
    if (is_alone()) {
        bool is_free = atomic_load_explicit(&mutex->word, memory_order_relaxed) == 0;
        if (is_free) {
            atomic_store_explicit(&mutex->word, self_number(), memory_order_relaxed);
        }
        return is_free;
    }
    /* acquire: pairs with the release in mutex_unlock */
    return atomic_compare_exchange_strong_explicit(&mutex->word, &free_word, self_number(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void mutex_lock(struct mutex *mutex) ACQUIRES(*mutex) NO_THREAD_SAFETY_ANALYSIS
{
    if (unlikely(!mutex_try_lock(mutex))) {
        mutex_lock_slow(mutex);
    }
}

static inline void mutex_unlock(struct mutex *mutex) RELEASES(*mutex) NO_THREAD_SAFETY_ANALYSIS
{
    if (is_alone()) {
        atomic_store_explicit(&mutex->word, 0, memory_order_relaxed);
        return;
    }
    uint32_t word = atomic_exchange_explicit(&mutex->word, 0, memory_order_release);
    if (unlikely(word != self_number())) {
        mutex_wake_slow(mutex);
    }
}

static inline bool mutex_is_held(struct mutex *mutex)
{
    return atomic_load_explicit(&mutex->word, memory_order_relaxed) != 0;
}

/* Does the calling thread hold it? */
bool mutex_is_own(struct mutex *mutex);

/* In a forked child: was the lock held by a thread that does not exist here? It is free then. */
bool mutex_abandon(struct mutex *mutex);

/* Registers the fork handler that runs mutex_after_fork. To be called at the start, also while
 * there is one thread: its child may make more, which must not count as gone. */
void mutex_watch_forks(void);

/* Fork handlers may come too late (those of others run before ours, and allocate or start threads)
 * or never (a child made by a bare system call). From mutex_watch_forks on this runs
 * mutex_after_fork in a forked child where it has not run yet; who would wait for a lock, or is
 * about to make a thread, calls it first. */
COLD void mutex_check_fork(void);

/* Registers what a forked child does, at the first call with this flag: where the work begins that
 * it is for. Takes a lock of libc's, and may allocate. */
void mutex_on_fork(_Atomic bool *is_registered, void (*in_child)(void));

/* Abandons every lock of the allocator. Defined in lifecycle.c, which knows them all. */
void mutex_after_fork(void);
/* To be called first by it: locks need not call it again. */
void mutex_note_fork(void);

#endif
