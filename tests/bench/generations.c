/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost when blocks outlive the threads that allocated them?
 * A server in the manner of Larson and Krishnan (ISMM 1998): THREADS threads each replace blocks at
 * random among LIVE of their own; after PER_THREAD replacements each hands its blocks to a fresh
 * thread and exits, so most frees are of a dead thread's blocks. Operation: one free and one
 * malloc; starting threads is included.
 */
#include "bench.h"

static const char usage[] = "usage: generations THREADS LIVE SIZES PER_THREAD GENERATIONS";

enum { MAX_WORKERS = 64 };

struct worker {
    void **blocks;
    size_t live;
    uint64_t replacements;
    struct rng rng;
};

static struct sizes sizes;

static void *serve(void *context)
{
    struct worker *worker = context;
    for (uint64_t i = 0; i < worker->replacements; i++) {
        size_t bytes = sizes_pick(&sizes, &worker->rng);
        void **slot = &worker->blocks[rng_below(&worker->rng, worker->live)];
        free(*slot);
        *slot = malloc(bytes);
        touch_ends(*slot, bytes);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct worker workers[MAX_WORKERS];
    unsigned threads = (unsigned)argument_number(argv, 1, usage);
    size_t live = argument_number(argv, 2, usage);
    sizes = sizes_parse(argument(argv, 3, usage));
    uint64_t per_thread = argument_number(argv, 4, usage);
    uint64_t generations = argument_number(argv, 5, usage);
    for (unsigned i = 0; i < threads; i++)
        workers[i] = (struct worker){.blocks = own_memory(live * sizeof(void *)),
                                     .live = live,
                                     .replacements = per_thread,
                                     .rng = rng_seeded(i)};
    run_together(serve, workers, sizeof *workers, threads);
    uint64_t start_ns = clock_ns();
    for (uint64_t i = 0; i < generations; i++)
        run_together(serve, workers, sizeof *workers, threads);
    report_time(argv, generations * threads * per_thread, clock_ns() - start_ns);
    return 0;
}
