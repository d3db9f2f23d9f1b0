/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many cycles does a cached malloc and free take?
 * Runs of 1,000 pairs are timed with the time stamp counter; printed are the fastest run and the
 * median run, per pair; the loop and two stores to the block are in the figure.
 * The counter ticks at a fixed rate, the core does not: a chain of multiplications that takes three
 * core cycles each, timed in between, turns ticks into core cycles.
 */
#include "bench.h"

#include <stdio.h>

enum { RUNS = 4001, MIDDLE = RUNS / 2, PAIRS = 1000, CHAIN = 1000, CHAIN_CYCLES = 3 * CHAIN };

#if defined(__x86_64__)
static uint64_t ticks(void)
{
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
}

static uint64_t chain_ticks(void)
{
    uint64_t number = 3;
    uint64_t start = ticks();
    for (unsigned i = 0; i < CHAIN / 10; i++)
        __asm__ volatile("imul %0, %0\n imul %0, %0\n imul %0, %0\n imul %0, %0\n imul %0, %0\n"
                         "imul %0, %0\n imul %0, %0\n imul %0, %0\n imul %0, %0\n imul %0, %0"
                         : "+r"(number));
    return ticks() - start;
}

static uint64_t pairs_ticks(size_t bytes)
{
    uint64_t start = ticks();
    for (unsigned i = 0; i < PAIRS; i++) {
        void *block = malloc(bytes);
        touch_ends(block, bytes);
        free(block);
    }
    return ticks() - start;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(size_t bytes, const char *what, double cycles)
{
    char label[64];
    snprintf(label, sizeof label, "%zu B, %s", bytes, what);
    report_value(label, cycles);
}

static void measure(size_t bytes, uint64_t *pairs, uint64_t *chains)
{
    for (unsigned i = 0; i < RUNS; i++) {
        chains[i] = chain_ticks();
        pairs[i] = pairs_ticks(bytes);
    }
    qsort(chains, RUNS, sizeof *chains, compare);
    qsort(pairs, RUNS, sizeof *pairs, compare);
    double fastest = (double)pairs[0] / PAIRS, median = (double)pairs[MIDDLE] / PAIRS;
    report(bytes, "ticks, fastest run", fastest);
    report(bytes, "ticks, median run", median);
    report(bytes, "core cycles, fastest run", fastest * CHAIN_CYCLES / (double)chains[0]);
    report(bytes, "core cycles, median run", median * CHAIN_CYCLES / (double)chains[MIDDLE]);
}

int main(void)
{
    uint64_t *pairs = own_memory(RUNS * sizeof *pairs);
    uint64_t *chains = own_memory(RUNS * sizeof *chains);
    measure(16, pairs, chains);
    measure(64, pairs, chains);
    measure(1024, pairs, chains);
    return 0;
}
#else
int main(void)
{
    report_value("no time stamp counter on this machine", 0);
    return 0;
}
#endif
