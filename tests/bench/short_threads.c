/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a thread's first and last allocation cost?
 * Threads start one after another (two at a time), allocate and free BLOCKS blocks of SIZES each
 * and exit. Operation: one thread, from creation to join.
 */
#include "bench.h"

static const char usage[] = "usage: short_threads BLOCKS SIZES THREADS";

enum { AT_ONCE = 2, MAX_BLOCKS = 1024 };

struct worker {
    size_t blocks;
    struct rng rng;
};

static struct sizes sizes;

static void *live_shortly(void *context)
{
    struct worker *worker = context;
    void *blocks[MAX_BLOCKS];
    for (size_t i = 0; i < worker->blocks; i++) {
        size_t bytes = sizes_pick(&sizes, &worker->rng);
        blocks[i] = must_malloc(bytes);
        touch_ends(blocks[i], bytes);
    }
    for (size_t i = 0; i < worker->blocks; i++)
        free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct worker workers[AT_ONCE];
    size_t blocks = argument_number(argv, 1, usage);
    sizes = sizes_parse(argument(argv, 2, usage));
    uint64_t rounds = argument_number(argv, 3, usage) / AT_ONCE;
    if (blocks > MAX_BLOCKS)
        return 2;
    for (unsigned i = 0; i < AT_ONCE; i++)
        workers[i] = (struct worker){.blocks = blocks, .rng = rng_seeded(i)};
    run_together(live_shortly, workers, sizeof *workers, AT_ONCE);
    uint64_t start_ns = clock_ns();
    for (uint64_t i = 0; i < rounds; i++)
        run_together(live_shortly, workers, sizeof *workers, AT_ONCE);
    report_time(argv, rounds * AT_ONCE, clock_ns() - start_ns);
    return 0;
}
