/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does replacing blocks at random cost?
 * Each thread holds LIVE blocks; a block picked at random is freed and replaced by one of another
 * size, as in a cache or a tree under updates. With one thread the program has no second one; with
 * several, each keeps to its own blocks. Filling is not measured. Operation: one free and one
 * malloc, by any thread.
 */
#include "bench.h"

#include <pthread.h>

static const char usage[] = "usage: churn THREADS LIVE SIZES REPLACEMENTS";

enum { MAX_CHURNERS = 16 };

struct churner {
    void **blocks;
    size_t live;
    struct sizes sizes;
    struct rng rng;
    uint64_t replacements;
    uint64_t ns; /* result */
};

static pthread_barrier_t filled;
static uint64_t (*now_ns)(void) = clock_ns;

static void replace_one(struct churner *churner, size_t index)
{
    size_t bytes = sizes_pick(&churner->sizes, &churner->rng);
    free(churner->blocks[index]);
    churner->blocks[index] = malloc(bytes);
    touch_ends(churner->blocks[index], bytes);
}

static void *churn(void *context)
{
    struct churner *churner = context;
    for (size_t i = 0; i < churner->live; i++)
        replace_one(churner, i);
    pthread_barrier_wait(&filled);
    uint64_t start_ns = now_ns();
    for (uint64_t i = 0; i < churner->replacements; i++)
        replace_one(churner, rng_below(&churner->rng, churner->live));
    churner->ns = now_ns() - start_ns;
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct churner churners[MAX_CHURNERS];
    unsigned threads = (unsigned)argument_number(argv, 1, usage);
    if (threads == 0 || threads > MAX_CHURNERS)
        return 2;
    uint64_t replacements = argument_number(argv, 4, usage) / threads;
    for (unsigned i = 0; i < threads; i++) {
        size_t live = argument_number(argv, 2, usage);
        churners[i] = (struct churner){.blocks = own_memory(live * sizeof(void *)),
                                       .live = live,
                                       .sizes = sizes_parse(argument(argv, 3, usage)),
                                       .rng = rng_seeded(i),
                                       .replacements = replacements};
    }
    pthread_barrier_init(&filled, NULL, threads);
    if (threads == 1) {
        now_ns = cpu_ns;
        churn(churners);
    } else {
        run_together(churn, churners, sizeof *churners, threads);
    }
    uint64_t slowest_ns = 0;
    for (unsigned i = 0; i < threads; i++)
        slowest_ns = churners[i].ns > slowest_ns ? churners[i].ns : slowest_ns;
    report_time(argv, replacements * threads, slowest_ns);
    return 0;
}
