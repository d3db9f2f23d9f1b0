/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A depot and a spare place under every order of the atomic steps of two threads and a purger (see
 * schedules.h). Each magazine must end in exactly one place, and the depot's counts add up. */
#include <urcu/system.h>
#include <urcu/uatomic.h>

#include "schedules.h"
#include "test.h"

/* liburcu's steps and the lock's, taken one at a time by the scheduler. */
#undef uatomic_cmpxchg
#define uatomic_cmpxchg(address, expected, desired)                                                \
    __extension__({                                                                                \
        schedule_step();                                                                           \
        __typeof__(*(address)) seen_ = *(address);                                                 \
        if (seen_ == (expected)) {                                                                 \
            *(address) = (desired);                                                                \
        }                                                                                          \
        seen_;                                                                                     \
    })
#undef uatomic_xchg
#define uatomic_xchg(address, value)                                                               \
    __extension__({                                                                                \
        schedule_step();                                                                           \
        __typeof__(*(address)) old_ = *(address);                                                  \
        *(address) = (value);                                                                      \
        old_;                                                                                      \
    })
#undef atomic_exchange_explicit
#define atomic_exchange_explicit(object, value, order)                                             \
    __extension__({                                                                                \
        schedule_step();                                                                           \
        __typeof__(atomic_load(object)) previous_ = *(object);                                     \
        *(object) = (value);                                                                       \
        unblock_all();                                                                             \
        previous_;                                                                                 \
    })

/* Threads that wait for a lock count as finished until somebody releases one. */
static bool is_blocked[THREADS];

static void unblock_all(void)
{
    for (int i = 0; i < THREADS; i++) {
        scheduler.finished[i] = scheduler.finished[i] && !is_blocked[i];
        is_blocked[i] = false;
    }
}

#define mutex_lock_slow stepped_lock_slow
#define depot_put stepped_depot_put
#define depot_take stepped_depot_take
#define depot_age stepped_depot_age
#define depot_abandon stepped_depot_abandon
#include "../src/depot.c" /* NOLINT(bugprone-suspicious-include) */

enum { MAGAZINES = 6, SLOTS = 5, ENDED = 2 * MAGAZINES };

static struct {
    struct depot depot;
    _Atomic(struct magazine *) spare; /* thread 0's; it alone puts there, the purger may take */
    struct magazine magazines[MAGAZINES];
    int given;                     /* magazines that came into play */
    struct magazine *ended[ENDED]; /* those that came out, each time they did */
    int ended_count;
    const char *const *script;
} run;

/* p put a new one, t take one out; thread 0: s new spare unless there is one, x take it back;
 * the purger: a age the depot, i take an idle spare. */
static const char *const scripts[][THREADS] = {
    {"ppt", "pt", "a"}, {"pt", "pt", "aa"}, {"ptp", "tpt", ""}, {"pp", "tt", "aa"},
    {"sxs", "pt", "i"}, {"sx", "", "ii"},   {"spx", "t", "ai"},
};

void stepped_lock_slow(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    int self = scheduler.current;
    while (!mutex_try_lock(mutex)) {
        is_blocked[self] = true;
        finish(self);
        sem_wait(&scheduler.turn[self]);
    }
}

static void take_out(struct magazine *magazine)
{
    if (magazine != NULL && run.ended_count < ENDED) {
        run.ended[run.ended_count++] = magazine;
    }
}

static void put_spare(void)
{
    if (atomic_load_explicit(&run.spare, memory_order_relaxed) == NULL) {
        atomic_store_explicit(&run.spare, &run.magazines[run.given++], memory_order_release);
    }
}

static void perform(char action)
{
    struct magazine *next = NULL;
    switch (action) {
    case 'p':
        stepped_depot_put(&run.depot, &run.magazines[run.given++]);
        break;
    case 't':
        take_out(stepped_depot_take(&run.depot));
        break;
    case 's':
        put_spare();
        break;
    case 'a':
        for (struct magazine *old = stepped_depot_age(&run.depot); old != NULL; old = next) {
            next = magazine_next(old);
            take_out(old);
        }
        break;
    default:
        take_out(atomic_exchange_explicit(&run.spare, NULL, memory_order_acquire));
    }
}

static void run_script(int thread)
{
    for (const char *action = run.script[thread]; *action != '\0'; action++) {
        perform(*action);
    }
}

static void reset(void)
{
    const char *const *script = run.script;
    memset(&run, 0, sizeof(run));
    run.script = script;
    for (int i = 0; i < MAGAZINES; i++) {
        run.magazines[i].count = SLOTS;
    }
}

static int times_in_stack(const struct __cds_lfs_stack *stack, const struct magazine *wanted)
{
    int times = 0;
    int steps = 0;
    struct magazine *magazine = stack->head == NULL ? NULL : magazine_of(&stack->head->node);
    for (; magazine != NULL && steps <= MAGAZINES; magazine = magazine_next(magazine)) {
        times += magazine == wanted;
        steps++;
    }
    return times;
}

static bool every_magazine_is_in_one_place(void)
{
    uint32_t in_depot = 0;
    for (int i = 0; i < run.given; i++) {
        struct magazine *magazine = &run.magazines[i];
        int in_stacks = times_in_stack(&run.depot.fresh, magazine) +
                        times_in_stack(&run.depot.victim, magazine);
        int places = in_stacks + (run.spare == magazine);
        for (int j = 0; j < run.ended_count; j++) {
            places += run.ended[j] == magazine;
        }
        if (places != 1) {
            return false;
        }
        in_depot += (uint32_t)in_stacks;
    }
    return run.depot.magazine_count == in_depot && run.depot.slot_count == in_depot * SLOTS;
}

static void every_schedule(void)
{
    const struct schedule_program program = {reset, run_script, every_magazine_is_in_one_place};
    long total = 0;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        run.script = scripts[i];
        long runs = schedule_explore(&program);
        CU_ASSERT(runs > 0);
        total += runs;
    }
    CU_ASSERT(total > 1000);
    printf("%ld schedules\n", total);
}

static const struct test tests[] = {
    {"each magazine ends in one place, whatever the schedule", every_schedule},
    {NULL, NULL},
};

int main(void)
{
    return test_main("depot_schedules", tests);
}
