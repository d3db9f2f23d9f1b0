/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a small program of three threads under every order of its atomic steps with up to
 * MAX_PREEMPTIONS switches away from a thread that could go on.
 *
 * A test includes the source under test after this header: its atomics then ask the scheduler
 * first. The threads are real, one runs at a time, all on one CPU, where handing over is cheapest.
 * Orders within one thread are the program's, so this finds errors of an algorithm, not of its
 * memory orders; ThreadSanitizer looks at those. A relaxed addition is no step of its own: it is a
 * statistic, which decides nothing.
 *
 * Source: Musuvathi and Qadeer 2007, iterative context bounding. */
#ifndef POOLMALLOC_TEST_SCHEDULES_H
#define POOLMALLOC_TEST_SCHEDULES_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, MAX_PREEMPTIONS = 3, MAX_CHOICES = 256 };

struct schedule_program {
    void (*reset)(void);     /* before each run */
    void (*run)(int thread); /* what a thread does */
    bool (*is_good)(void);   /* after each run */
};

static struct {
    const struct schedule_program *program;
    bool over;
    sem_t turn[THREADS + 1]; /* the last is the explorer's */
    bool finished[THREADS];
    int current;
    int preemptions;
    int depth;  /* choices made in this run */
    int length; /* choices kept from the run before, and made */
    struct {
        int taken;
        int options;
    } choices[MAX_CHOICES];
} scheduler;

/* One of `options` possibilities: as the run before up to its last change, then the first. */
static int choose(int options)
{
    int depth = scheduler.depth++;
    if (depth >= MAX_CHOICES) {
        abort();
    }
    if (depth >= scheduler.length) {
        scheduler.choices[depth].taken = 0;
        scheduler.choices[depth].options = options;
        scheduler.length = depth + 1;
    }
    return scheduler.choices[depth].taken;
}

/* The next thread: the current one first if it can go on; THREADS if nobody can. */
static int next_thread(void)
{
    int candidates[THREADS];
    int count = 0;
    bool can_go_on = scheduler.current < THREADS && !scheduler.finished[scheduler.current];
    if (can_go_on) {
        candidates[count++] = scheduler.current;
    }
    for (int i = 0; i < THREADS; i++) {
        bool allowed = !can_go_on || scheduler.preemptions < MAX_PREEMPTIONS;
        if (i != scheduler.current && !scheduler.finished[i] && allowed) {
            candidates[count++] = i;
        }
    }
    if (count == 0) {
        return THREADS;
    }
    int next = candidates[count == 1 ? 0 : choose(count)];
    scheduler.preemptions += can_go_on && next != scheduler.current;
    return next;
}

static void schedule_step(void)
{
    int self = scheduler.current;
    int next = next_thread();
    if (next != self) {
        scheduler.current = next;
        sem_post(&scheduler.turn[next]);
        sem_wait(&scheduler.turn[self]);
    }
}

static void finish(int self)
{
    scheduler.finished[self] = true;
    int next = next_thread();
    scheduler.current = next;
    sem_post(&scheduler.turn[next]);
}

/* Moves to the next order of steps. False: all have been run. */
static bool backtrack(void)
{
    while (scheduler.length > 0) {
        int last = scheduler.length - 1;
        if (++scheduler.choices[last].taken < scheduler.choices[last].options) {
            return true;
        }
        scheduler.length = last;
    }
    return false;
}

static void *schedule_thread(void *number)
{
    int self = (int)(intptr_t)number;
    for (;;) {
        sem_wait(&scheduler.turn[self]);
        if (scheduler.over) {
            return NULL;
        }
        scheduler.program->run(self);
        finish(self);
    }
}

static bool schedule_run_once(void)
{
    memset(scheduler.finished, 0, sizeof(scheduler.finished));
    scheduler.depth = 0;
    scheduler.preemptions = 0;
    scheduler.current = 0;
    scheduler.program->reset();
    sem_post(&scheduler.turn[0]);
    sem_wait(&scheduler.turn[THREADS]);
    return scheduler.program->is_good();
}

/* The calling thread, and those that it starts. */
static void stay_on_one_cpu(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)sched_getcpu(), &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus); /* refused: it only takes longer */
}

/* Runs all orders. Returns how many, or 0 if the outcome of one was not good. */
static long schedule_explore(const struct schedule_program *program)
{
    pthread_t threads[THREADS];
    long runs = 0;
    bool good = true;
    scheduler.program = program;
    scheduler.over = false;
    scheduler.length = 0;
    stay_on_one_cpu();
    sem_init(&scheduler.turn[THREADS], 0, 0);
    for (intptr_t i = 0; i < THREADS; i++) {
        sem_init(&scheduler.turn[i], 0, 0);
        if (pthread_create(&threads[i], NULL, schedule_thread, (void *)i) != 0) {
            abort();
        }
    }
    do {
        good = schedule_run_once() && good;
        runs++;
    } while (good && backtrack());
    scheduler.over = true;
    for (int i = 0; i < THREADS; i++) {
        sem_post(&scheduler.turn[i]);
        pthread_join(threads[i], NULL);
    }
    return good ? runs : 0;
}

#undef atomic_init
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_add_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_init(object, value) (*(object) = (value)) /* nobody else is there yet: no step */
#define atomic_load_explicit(object, order) (schedule_step(), *(object))
#define atomic_store_explicit(object, value, order) (schedule_step(), *(object) = (value))
#define atomic_fetch_add_explicit(object, value, order)                                            \
    __extension__({                                                                                \
        if ((order) != memory_order_relaxed) {                                                     \
            schedule_step();                                                                       \
        }                                                                                          \
        __typeof__(+*(object)) old_ = *(object);                                                   \
        *(object) = old_ + (value);                                                                \
        old_;                                                                                      \
    })
/* One thread runs at a time: nothing comes between comparison and exchange. */
#define atomic_compare_exchange_strong_explicit(object, expected, value, success, failure)         \
    __extension__({                                                                                \
        __typeof__(*(expected)) value_ = (value);                                                  \
        schedule_step();                                                                           \
        bool equal_ = *(object) == *(expected);                                                    \
        if (equal_) {                                                                              \
            *(object) = value_;                                                                    \
        } else {                                                                                   \
            *(expected) = *(object);                                                               \
        }                                                                                          \
        equal_;                                                                                    \
    })
#define atomic_compare_exchange_weak_explicit atomic_compare_exchange_strong_explicit

#endif
