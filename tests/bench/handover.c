/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost when one thread allocates and another frees?
 * PRODUCERS threads allocate and touch blocks and push them in batches of 128 through one bounded
 * queue; CONSUMERS threads read and free them. Many against many is the asymmetric load of Lever
 * and Boreham (Usenix 2000). Operation: one malloc, its journey and its free.
 */
#include "bench.h"
#include "batch_queue.h"

static const char usage[] = "usage: handover PRODUCERS CONSUMERS SIZES BLOCKS";

enum { QUEUE_BATCHES = 64, MAX_WORKERS = 256 };

struct worker {
    bool produces;
    uint64_t batches; /* to produce */
    struct rng rng;
};

static struct batch_queue queue;
static struct sizes sizes;
static unsigned producers_left;

static void produce(struct worker *worker)
{
    struct batch batch = {.count = BATCH_BLOCKS};
    for (uint64_t i = 0; i < worker->batches; i++) {
        for (unsigned j = 0; j < BATCH_BLOCKS; j++) {
            size_t bytes = sizes_pick(&sizes, &worker->rng);
            batch.blocks[j] = malloc(bytes);
            touch_ends(batch.blocks[j], bytes);
        }
        queue_push(&queue, &batch);
    }
    if (__atomic_sub_fetch(&producers_left, 1, __ATOMIC_ACQ_REL) == 0)
        queue_close(&queue);
}

static void consume(void)
{
    struct batch batch;
    while (queue_pop(&queue, &batch))
        for (unsigned j = 0; j < batch.count; j++) {
            (void)*(volatile uint64_t *)batch.blocks[j];
            free(batch.blocks[j]);
        }
}

static void *work(void *context)
{
    struct worker *worker = context;
    if (worker->produces)
        produce(worker);
    else
        consume();
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct worker workers[MAX_WORKERS];
    unsigned producers = (unsigned)argument_number(argv, 1, usage);
    unsigned count = producers + (unsigned)argument_number(argv, 2, usage);
    uint64_t batches = argument_number(argv, 4, usage) / BATCH_BLOCKS / producers;
    sizes = sizes_parse(argument(argv, 3, usage));
    producers_left = producers;
    queue_init(&queue, QUEUE_BATCHES);
    for (unsigned i = 0; i < count; i++)
        workers[i] =
            (struct worker){.produces = i < producers, .batches = batches, .rng = rng_seeded(i)};
    uint64_t start_ns = clock_ns();
    run_together(work, workers, sizeof *workers, count);
    report_time(argv, batches * producers * BATCH_BLOCKS, clock_ns() - start_ns);
    return 0;
}
