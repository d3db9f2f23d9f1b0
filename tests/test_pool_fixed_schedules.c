/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that get and put blocks of a fixed pool of two or three, under every order of their
 * atomic steps (see schedules.h). No block may have two holders, all must be back at the end, and a
 * get may fail only if at one moment the others may have had all blocks. */
#include "test_pool_fixed.h"

#include "schedules.h"
#include "test.h"

#define POOL_FIXED_SHARDS 2
#define pm_pool_create_fixed stepped_create_fixed
#define fixed_get stepped_get
#define fixed_put stepped_put
#define fixed_destroy stepped_destroy
#define fixed_stats stepped_stats
#include "../src/pool_fixed.c" /* NOLINT(bugprone-suspicious-include) */

enum { BLOCK_BYTES = 16, MOST_BLOCKS = 3, MAX_HELD = 3 };

/* g: get one, p: put the one got first. What is held at the end is put when all have ended. The
 * first thread has a shard of its own, the others share one. */
static const struct script {
    int blocks;
    const char *actions[THREADS];
} scripts[] = {
    {3, {"g", "ggp", ""}},  {3, {"gp", "ggpp", ""}}, {3, {"gpg", "gpgp", ""}},
    {3, {"g", "gp", "gp"}}, {3, {"gp", "ggp", "g"}}, {2, {"gpg", "g", "gp"}},
};

static struct {
    struct pool_fixed *fixed;
    const struct script *script;
    int holders[MOST_BLOCKS];
    int out;                 /* blocks held, and calls of get that may have one already */
    void *left[MOST_BLOCKS]; /* held at the end */
    int left_count;
    int peak[THREADS]; /* the most that `out` was during this get; 0: not in a get */
    bool shared;
    bool failed_wrongly;
} run;

static int index_of(const void *block)
{
    return (int)((size_t)((const char *)block - run.fixed->blocks) / run.fixed->stride);
}

static void *get(int thread)
{
    schedule_step(); /* so that others may run before it counts */
    run.peak[thread] = 1;
    run.out++;
    for (int i = 0; i < THREADS; i++) {
        run.peak[i] = run.peak[i] != 0 && run.peak[i] < run.out ? run.out : run.peak[i];
    }
    void *block = fixed_get(run.fixed, thread == 0);
    if (block != NULL) {
        run.shared = run.shared || run.holders[index_of(block)]++ != 0;
    } else {
        run.out--;
        run.failed_wrongly = run.failed_wrongly || run.peak[thread] <= run.script->blocks;
    }
    run.peak[thread] = 0;
    return block;
}

static void put(int thread, void *block)
{
    run.holders[index_of(block)]--;
    fixed_put(run.fixed, thread == 0, block);
    run.out--;
}

static void run_script(int thread)
{
    void *held[MAX_HELD];
    int first = 0;
    int count = 0;
    for (const char *action = run.script->actions[thread]; *action != '\0'; action++) {
        if (*action == 'g') {
            held[count] = get(thread);
            count += held[count] != NULL;
        } else if (first < count) {
            put(thread, held[first++]);
        }
    }
    while (first < count) {
        run.left[run.left_count++] = held[first++];
    }
}

/* A fresh pool for each run: which block is in which shard decides how many steps there are. */
static void reset(void)
{
    struct pool_fixed *old = run.fixed;
    const struct script *script = run.script;
    memset(&run, 0, sizeof(run));
    run.script = script;
    run.fixed = create(BLOCK_BYTES, BLOCK_BYTES, (size_t)script->blocks);
    if (old != NULL) {
        fixed_destroy(old);
    }
}

static bool all_are_back(void)
{
    int count = 0;
    while (run.left_count > 0) {
        put(0, run.left[--run.left_count]);
    }
    for (int i = 0; i < SHARDS; i++) {
        for (uint32_t link = (uint32_t)(run.fixed->shards[i].first >> 32);
             link != 0 && count <= run.script->blocks; link = run.fixed->links[link - 1]) {
            count++;
        }
    }
    return count == run.script->blocks && !run.shared && !run.failed_wrongly;
}

void test_every_fixed_schedule(void)
{
    const struct schedule_program program = {reset, run_script, all_are_back};
    long total = 0;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        run.script = &scripts[i];
        long runs = schedule_explore(&program);
        CU_ASSERT(runs > 0);
        total += runs;
    }
    CU_ASSERT(total > 1000);
    fixed_destroy(run.fixed);
    printf("%ld schedules\n", total);
}
