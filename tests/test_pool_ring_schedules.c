/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small programs of an owner and two thieves on a ring of two slots, under every order of their
 * atomic steps (see schedules.h). Every object must come out exactly once in each of them. */
#include "test_pool_ring.h"

#include "schedules.h"
#include "test.h"

#define ring_init stepped_ring_init
#define ring_push stepped_ring_push
#define ring_pop stepped_ring_pop
#define ring_steal stepped_ring_steal
#include "../src/pool_ring.c" /* NOLINT(bugprone-suspicious-include) */

enum { CAPACITY = 2, MAX_OBJECTS = 8 };

static struct {
    struct ring *ring;
    const char *const *script; /* what each thread does */
    uintptr_t pushed;
    int times_out[MAX_OBJECTS + 1];
} run;

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

static void reset(void)
{
    memset(run.times_out, 0, sizeof(run.times_out));
    run.pushed = 0;
    run.ring->ends = (uint64_t)UINT32_MAX << 32 | UINT32_MAX; /* about to wrap */
    run.ring->slots[0] = NULL;
    run.ring->slots[1] = NULL;
}

static void run_script(int thread)
{
    for (const char *action = run.script[thread]; *action != '\0'; action++) {
        perform(*action);
    }
}

static bool every_object_is_out_once(void)
{
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
    const struct schedule_program program = {reset, run_script, every_object_is_out_once};
    long total = 0;
    run.ring = malloc(sizeof(struct ring) + CAPACITY * sizeof(run.ring->slots[0]));
    if (run.ring == NULL) {
        abort();
    }
    run.ring->capacity = CAPACITY;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        run.script = scripts[i];
        long runs = schedule_explore(&program);
        CU_ASSERT(runs > 0);
        total += runs;
    }
    CU_ASSERT(total > 1000);
    free(run.ring);
    printf("%ld schedules\n", total);
}
