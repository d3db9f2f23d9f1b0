/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is a process slower at some times than at others?
 * For SECONDS blocks picked at random among 50,000 are replaced by others of 16 to 1000 bytes, and
 * for each 2,000,000 of that a line is printed: when it began, in seconds of the epoch, and its CPU
 * time in seconds. scripts/bench_reading.sh compares the slices with and without an onlooker.
 */
#include "bench.h"

#include <stdio.h>
#include <time.h>

static const char usage[] = "usage: slices SECONDS";

enum { LIVE = 50000, REPLACEMENTS = 2000000 };

static void replace_some(void **blocks, struct rng *rng)
{
    for (unsigned i = 0; i < REPLACEMENTS; i++) {
        uint64_t index = rng_below(rng, LIVE);
        size_t bytes = 16 + rng_below(rng, 985);
        free(blocks[index]);
        blocks[index] = malloc(bytes);
        touch_ends(blocks[index], bytes);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    struct rng rng = rng_seeded(1);
    void **blocks = own_memory(LIVE * sizeof *blocks);
    uint64_t end_ns = clock_ns() + argument_number(argv, 1, usage) * 1000000000u;
    while (clock_ns() < end_ns) {
        struct timespec began;
        clock_gettime(CLOCK_REALTIME, &began);
        uint64_t start_ns = cpu_ns();
        replace_some(blocks, &rng);
        printf("%lld.%06ld %.6f\n", (long long)began.tv_sec, began.tv_nsec / 1000,
               (double)(cpu_ns() - start_ns) * 1e-9);
        fflush(stdout);
    }
    return 0;
}
