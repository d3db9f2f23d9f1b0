/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that get and put blocks of a fixed pool of two or three, under every order of their
 * atomic steps (see schedules.h). No block may have two holders, and all must be back at the end.
 */
#include "test_pool_fixed.h"

#include "schedules.h"
#include "test.h"

#define pm_pool_create_fixed stepped_create_fixed
#define fixed_get stepped_get
#define fixed_put stepped_put
#define fixed_destroy stepped_destroy
#define fixed_stats stepped_stats
#include "../src/pool_fixed.c" /* NOLINT(bugprone-suspicious-include) */

enum { BLOCK_BYTES = 16, BLOCKS = 3, MAX_HELD = 3 };

/* g: get one, p: put the one got first. Whatever is held at the end is put. */
static const char *const scripts[][THREADS] = {
    {"g", "ggp", ""},  {"gp", "ggpp", ""}, {"gpg", "gpgp", ""},
    {"g", "gp", "gp"}, {"gp", "ggp", "g"},
};

static struct {
    struct pool_fixed *fixed;
    const char *const *script;
    int holders[BLOCKS];
    bool shared;
} run;

static int index_of(const void *block)
{
    return (int)((size_t)((const char *)block - run.fixed->blocks) / run.fixed->stride);
}

static void put(void *block)
{
    run.holders[index_of(block)]--;
    fixed_put(run.fixed, block);
}

static void run_script(int thread)
{
    void *held[MAX_HELD];
    int first = 0;
    int count = 0;
    for (const char *action = run.script[thread]; *action != '\0'; action++) {
        void *block = *action == 'g' ? fixed_get(run.fixed) : NULL;
        if (block != NULL) {
            run.shared = run.shared || run.holders[index_of(block)]++ != 0;
            held[count++] = block;
        } else if (*action == 'p' && first < count) {
            put(held[first++]);
        }
    }
    while (first < count) {
        put(held[first++]);
    }
}

static void reset(void)
{
    memset(run.holders, 0, sizeof(run.holders));
    run.shared = false;
}

static bool all_are_back(void)
{
    int count = 0;
    for (uint32_t link = (uint32_t)(run.fixed->first >> 32); link != 0 && count <= BLOCKS;
         link = run.fixed->links[link - 1]) {
        count++;
    }
    return count == BLOCKS && !run.shared;
}

void test_every_fixed_schedule(void)
{
    const struct schedule_program program = {reset, run_script, all_are_back};
    long total = 0;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        run.fixed = create(BLOCK_BYTES, BLOCK_BYTES, BLOCKS);
        run.script = scripts[i];
        long runs = schedule_explore(&program);
        CU_ASSERT(runs > 0);
        total += runs;
        fixed_destroy(run.fixed);
    }
    CU_ASSERT(total > 1000);
    printf("%ld schedules\n", total);
}
