/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a call pair cost when nothing stands in its way?
 * One block of one size is allocated, touched and freed again and again: always a cached block,
 * always the same cache line. Operation: one allocation and its free.
 */
#include "bench.h"

#include <string.h>

static const char usage[] = "usage: pair malloc|calloc|aligned BYTES PAIRS";

static void pairs_malloc(size_t bytes, uint64_t count)
{
    while (count--) {
        void *block = malloc(bytes);
        touch_ends(block, bytes);
        free(block);
    }
}

static void pairs_calloc(size_t bytes, uint64_t count)
{
    while (count--) {
        void *block = calloc(1, bytes);
        touch_ends(block, bytes);
        free(block);
    }
}

/* On a cache line, as counters of several threads are; bytes a multiple of 64. */
static void pairs_aligned(size_t bytes, uint64_t count)
{
    while (count--) {
        void *block = aligned_alloc(64, bytes);
        touch_ends(block, bytes);
        free(block);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *call = argument(argv, 1, usage);
    size_t bytes = argument_number(argv, 2, usage);
    uint64_t count = argument_number(argv, 3, usage);
    void (*pairs)(size_t, uint64_t) = strcmp(call, "calloc") == 0    ? pairs_calloc
                                      : strcmp(call, "aligned") == 0 ? pairs_aligned
                                                                     : pairs_malloc;
    pairs(bytes, count / 10 + 1);
    uint64_t start_ns = cpu_ns();
    pairs(bytes, count);
    report_time(argv, count, cpu_ns() - start_ns);
    return 0;
}
