/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Do two threads get blocks on one cache line?
 *     active   each thread allocates a block, writes it many times and frees it
 *     passive  the same, but first each thread frees a block that the main thread allocated for it
 *              next to the other's, so an allocator that hands it out again shares the line
 * (Berger's questions for Hoard, ASPLOS 2000.) Operation: one write.
 */
#include "bench.h"

#include <string.h>

static const char usage[] = "usage: false_sharing active|passive BYTES WRITES";

enum { THREADS = 2, WRITES_PER_BLOCK = 1000 };

struct worker {
    void *gift; /* NULL when active */
    size_t bytes;
    uint64_t blocks;
};

static void *scratch(void *context)
{
    struct worker *worker = context;
    free(worker->gift);
    for (uint64_t i = 0; i < worker->blocks; i++) {
        volatile uint64_t *block = must_malloc(worker->bytes);
        for (unsigned j = 0; j < WRITES_PER_BLOCK; j++)
            block[0]++;
        free((void *)block);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    bool passive = strcmp(argument(argv, 1, usage), "passive") == 0;
    size_t bytes = argument_number(argv, 2, usage);
    uint64_t blocks = argument_number(argv, 3, usage) / WRITES_PER_BLOCK / THREADS;
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.bytes = bytes, .blocks = blocks};
        if (passive)
            workers[i].gift = must_malloc(bytes);
    }
    uint64_t start_ns = clock_ns();
    run_together(scratch, workers, sizeof *workers, THREADS);
    report_time(argv, blocks * THREADS * WRITES_PER_BLOCK, clock_ns() - start_ns);
    return 0;
}
