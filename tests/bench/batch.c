/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost to hold many blocks, and does the order of the frees matter?
 * LIVE blocks are allocated and touched, then all are freed in one of the orders
 *     lifo    last allocated first, as a stack unwinds
 *     fifo    first allocated first, as a queue drains
 *     random  as a hash table is cleared
 *     ends    in turns from both ends
 * Rounds of this follow each other; the first (which grows the heap) is not measured.
 * Operation: one malloc and its free.
 */
#include "bench.h"

#include <string.h>

static const char usage[] = "usage: batch lifo|fifo|random|ends LIVE SIZES PAIRS";

struct batch {
    void **blocks;   /* in order of allocation */
    uint32_t *bytes; /* of each block */
    uint32_t *free_order;
    size_t live;
};

static uint32_t *free_order(const char *name, size_t live, struct rng *rng)
{
    if (strcmp(name, "random") == 0)
        return own_permutation(rng, live);
    uint32_t *order = own_memory(live * sizeof *order);
    for (size_t i = 0; i < live; i++) {
        size_t index = i;
        if (strcmp(name, "lifo") == 0)
            index = live - 1 - i;
        if (strcmp(name, "ends") == 0)
            index = i % 2 ? live - 1 - i / 2 : i / 2;
        order[i] = (uint32_t)index;
    }
    return order;
}

static void round_trip(const struct batch *batch)
{
    for (size_t i = 0; i < batch->live; i++) {
        batch->blocks[i] = malloc(batch->bytes[i]);
        touch_ends(batch->blocks[i], batch->bytes[i]);
    }
    /* The order names each block once. */
    for (size_t i = 0; i < batch->live; i++)
        free(batch->blocks[batch->free_order[i]]); /* NOLINT(clang-analyzer-unix.Malloc) */
}

int main(int argc, char **argv)
{
    (void)argc;
    struct rng rng = rng_seeded(1);
    struct batch batch = {.live = argument_number(argv, 2, usage)};
    struct sizes sizes = sizes_parse(argument(argv, 3, usage));
    uint64_t rounds = argument_number(argv, 4, usage) / batch.live;
    batch.blocks = own_memory(batch.live * sizeof *batch.blocks);
    batch.bytes = own_memory(batch.live * sizeof *batch.bytes);
    batch.free_order = free_order(argument(argv, 1, usage), batch.live, &rng);
    for (size_t i = 0; i < batch.live; i++)
        batch.bytes[i] = (uint32_t)sizes_pick(&sizes, &rng);

    round_trip(&batch);
    uint64_t start_ns = cpu_ns();
    for (uint64_t i = 0; i < rounds; i++)
        round_trip(&batch);
    report_time(argv, rounds * batch.live, cpu_ns() - start_ns);
    return 0;
}
