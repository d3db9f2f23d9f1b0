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

enum { THREADS = 2, WRITES_PER_BLOCK = 1000, GIFTS = 16, LINE_BYTES = 64 };

struct worker {
    void *gift; /* NULL when active */
    size_t bytes;
    uint64_t blocks;
};

static bool share_line(const void *a, const void *b)
{
    return (uintptr_t)a / LINE_BYTES == (uintptr_t)b / LINE_BYTES;
}

/* Some ten cycles between writes, as in a program that counts what it does; writes back to back
 * would keep the line and hide the sharing. */
static uint64_t some_thought(uint64_t number)
{
    struct rng rng = {.state = number | 1};
    rng_next(&rng);
    return rng_next(&rng);
}

static void *scratch(void *context)
{
    struct worker *worker = context;
    free(worker->gift);
    for (uint64_t i = 0; i < worker->blocks; i++) {
        volatile uint64_t *block = must_malloc(worker->bytes);
        for (unsigned j = 0; j < WRITES_PER_BLOCK; j++)
            block[0] = some_thought(block[0]);
        free((void *)block);
    }
    return NULL;
}

/* Two of the blocks that lie on one cache line, if the allocator makes such; the others are freed.
 */
static void give_neighbours(struct worker *workers, size_t bytes)
{
    void *blocks[GIFTS];
    unsigned second = 1;
    for (unsigned i = 0; i < GIFTS; i++)
        blocks[i] = must_malloc(bytes);
    while (second < GIFTS - 1 && !share_line(blocks[second - 1], blocks[second]))
        second++;
    workers[0].gift = blocks[second - 1];
    workers[1].gift = blocks[second];
    for (unsigned i = 0; i < GIFTS; i++)
        if (i != second && i != second - 1)
            free(blocks[i]);
}

int main(int argc, char **argv)
{
    (void)argc;
    bool passive = strcmp(argument(argv, 1, usage), "passive") == 0;
    size_t bytes = argument_number(argv, 2, usage);
    uint64_t blocks = argument_number(argv, 3, usage) / WRITES_PER_BLOCK / THREADS;
    struct worker workers[THREADS] = {{.bytes = bytes, .blocks = blocks},
                                      {.bytes = bytes, .blocks = blocks}};
    if (passive)
        give_neighbours(workers, bytes);
    uint64_t start_ns = clock_ns();
    run_together(scratch, workers, sizeof *workers, THREADS);
    report_time(argv, blocks * THREADS * WRITES_PER_BLOCK, clock_ns() - start_ns);
    return 0;
}
