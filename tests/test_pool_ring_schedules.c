/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small programs of an owner and two thieves on a ring of two slots, under every order of their
 * atomic steps with up to MAX_PREEMPTIONS switches away from a thread that could go on. Every
 * object must come out exactly once in each of them.
 *
 * The ring's source is compiled here once more with atomics that ask the scheduler first. Its
 * threads are real, one runs at a time. Orders within one thread are the program's, so this finds
 * errors of the algorithm, not of the memory orders; ThreadSanitizer looks at those.
 *
 * Source: Musuvathi and Qadeer 2007, iterative context bounding. */
#include "test_pool_ring.h"

#include "test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

static void step(void);

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_add_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_load_explicit(object, order) (step(), *(object))
#define atomic_store_explicit(object, value, order) (step(), *(object) = (value))
#define atomic_fetch_add_explicit(object, value, order) (step(), *(object) += (value))
#define atomic_compare_exchange_weak_explicit(object, expected, value, success, failure)           \
    (step(), atomic_compare_exchange_strong((object), (expected), (value)))
#define ring_init stepped_ring_init
#define ring_push stepped_ring_push
#define ring_pop stepped_ring_pop
#define ring_steal stepped_ring_steal
#include "../src/pool_ring.c" /* NOLINT(bugprone-suspicious-include) */

enum { THREADS = 3, MAX_PREEMPTIONS = 3, MAX_CHOICES = 256, CAPACITY = 2, MAX_OBJECTS = 8 };

static struct {
    sem_t turn[THREADS + 1]; /* the last is the explorer's */
    bool finished[THREADS];
    int current;
    int preemptions;
    int depth; /* choices made in this run */
    int length;
    struct {
        int taken;
        int options;
    } choices[MAX_CHOICES]; /* of this run; kept up to `length` from the one before */
} scheduler;

static struct {
    struct ring *ring;
    uintptr_t pushed;
    int times_out[MAX_OBJECTS + 1];
} run;

/* ---- Scheduler ------------------------------------------------------------------------------ */

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
    bool can_go_on = !scheduler.finished[scheduler.current];
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

static void step(void)
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

/* ---- Programs ------------------------------------------------------------------------------- */

/* For the owner: + push one, P push two, - pop one, M pop two; for thieves: s steal one, S two. */
static const char *const scripts[][THREADS] = {
    {"+-+-", "s", "s"}, {"P-+M", "s", ""}, {"P+-", "S", ""}, {"++M", "s", "s"},
    {"PM+", "s", "S"},  {"P++", "s", "s"}, {"P", "s", "S"},
};

static void take_out(void *const *objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        run.times_out[(uintptr_t)objects[i]]++;
    }
}

static void push(uint32_t count)
{
    void *objects[] = {(void *)(run.pushed + 1), (void *)(run.pushed + 2)};
    uint32_t pushed = ring_push(run.ring, objects, count);
    run.pushed += pushed;
}

static void perform(char action)
{
    void *objects[2];
    switch (action) {
    case '+':
        push(1);
        break;
    case 'P':
        push(2);
        break;
    case '-':
        take_out(objects, ring_pop(run.ring, objects, 1));
        break;
    case 'M':
        take_out(objects, ring_pop(run.ring, objects, 2));
        break;
    case 's':
        take_out(objects, ring_steal(run.ring, objects, 1));
        break;
    default:
        take_out(objects, ring_steal(run.ring, objects, 2));
    }
}

static const char *const *script;
static bool over;

static void *work(void *number)
{
    int self = (int)(intptr_t)number;
    for (;;) {
        sem_wait(&scheduler.turn[self]);
        if (over) {
            return NULL;
        }
        for (const char *action = script[self]; *action != '\0'; action++) {
            perform(*action);
        }
        finish(self);
    }
}

/* One run of the program. Returns whether every object came out once. */
static bool run_once(void)
{
    memset(run.times_out, 0, sizeof(run.times_out));
    memset(scheduler.finished, 0, sizeof(scheduler.finished));
    run.pushed = 0;
    scheduler.depth = 0;
    scheduler.preemptions = 0;
    scheduler.current = 0;
    run.ring->ends = (uint64_t)UINT32_MAX << 32 | UINT32_MAX; /* about to wrap */
    run.ring->slots[0] = NULL;
    run.ring->slots[1] = NULL;
    sem_post(&scheduler.turn[0]);
    sem_wait(&scheduler.turn[THREADS]);
    uint64_t ends = run.ring->ends;
    for (uint32_t i = (uint32_t)ends; i != (uint32_t)(ends >> 32); i++) {
        run.times_out[(uintptr_t)run.ring->slots[i % CAPACITY]]++;
    }
    bool once = run.times_out[0] == 0;
    for (uintptr_t i = 1; i <= run.pushed; i++) {
        once = once && run.times_out[i] == 1;
    }
    return once;
}

void test_every_schedule(void)
{
    pthread_t threads[THREADS];
    long runs = 0;
    run.ring = malloc(sizeof(struct ring) + CAPACITY * sizeof(run.ring->slots[0]));
    run.ring->capacity = CAPACITY;
    sem_init(&scheduler.turn[THREADS], 0, 0);
    for (intptr_t i = 0; i < THREADS; i++) {
        sem_init(&scheduler.turn[i], 0, 0);
        pthread_create(&threads[i], NULL, work, (void *)i);
    }
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        bool good = true;
        script = scripts[i];
        scheduler.length = 0;
        do {
            good = run_once() && good;
            runs++;
        } while (backtrack());
        CU_ASSERT_TRUE(good);
    }
    CU_ASSERT(runs > 1000);
    over = true;
    for (int i = 0; i < THREADS; i++) {
        sem_post(&scheduler.turn[i]);
        pthread_join(threads[i], NULL);
    }
    free(run.ring);
    printf("%ld schedules\n", runs);
}
