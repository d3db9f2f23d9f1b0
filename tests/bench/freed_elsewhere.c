/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does memory stay bounded when the threads that free never allocate?
 * PRODUCERS threads each keep LIVE blocks and replace them at random; replaced blocks go through
 * one bounded queue, BATCH at a time, to CONSUMERS threads that do nothing but free. Live bytes are
 * counted exactly (each block starts with its size), resident memory ten times a second; afterwards
 * all threads stay alive and idle.
 *
 * Two loads that have hurt allocators in the field: 16 producers with 40,960 blocks of 592 bytes
 * each and one consumer (mimalloc #1364, resident grew to five times the live bytes), and 10
 * producers of blocks of some KiB with 400 consumers (jemalloc #2757, 2.5 MB cached in each).
 */
#include "bench.h"
#include "batch_queue.h"

#include <stdatomic.h>

static const char usage[] =
    "usage: freed_elsewhere PRODUCERS LIVE CONSUMERS BATCH SIZES REPLACEMENTS";

enum { QUEUE_BATCHES = 64, MAX_WORKERS = 512, SAMPLE_MS = 100, IDLE_MS = 3000 };
enum role { PRODUCER, CONSUMER, WATCHER };

struct worker {
    enum role role;
    void **blocks; /* a producer's live set */
    struct rng rng;
};

static struct batch_queue queue;
static struct sizes sizes;
static size_t live_each, batch_blocks;
static uint64_t replacements_each;
static pthread_barrier_t idle, watched;
static atomic_int producers_left, consumers_left;
static atomic_size_t live_bytes, peak_live_bytes; /* relaxed: only their values matter */

static void count_live(size_t bytes)
{
    size_t live = atomic_fetch_add_explicit(&live_bytes, bytes, memory_order_relaxed) + bytes;
    size_t peak = atomic_load_explicit(&peak_live_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&peak_live_bytes, &peak, live))
        ;
}

static void *sized_block(struct rng *rng)
{
    size_t bytes = sizes_pick(&sizes, rng);
    void *block = must_malloc(bytes);
    touch_pages(block, bytes);
    count_live(bytes);
    return block;
}

static void produce(struct worker *worker)
{
    struct batch batch = {.count = 0};
    for (size_t i = 0; i < live_each; i++)
        worker->blocks[i] = sized_block(&worker->rng);
    for (uint64_t i = 0; i < replacements_each; i++) {
        void **slot = &worker->blocks[rng_below(&worker->rng, live_each)];
        batch.blocks[batch.count++] = *slot;
        *slot = sized_block(&worker->rng);
        if (batch.count == batch_blocks) {
            queue_push(&queue, &batch);
            batch.count = 0;
        }
    }
    queue_push(&queue, &batch);
    if (atomic_fetch_sub(&producers_left, 1) == 1)
        queue_close(&queue);
}

static void consume(void)
{
    struct batch batch;
    while (queue_pop(&queue, &batch))
        for (size_t i = 0; i < batch.count; i++) {
            size_t bytes = *(size_t *)batch.blocks[i];
            atomic_fetch_sub_explicit(&live_bytes, bytes, memory_order_relaxed);
            free(batch.blocks[i]);
        }
    atomic_fetch_sub(&consumers_left, 1);
}

static double mib(size_t bytes)
{
    return (double)bytes / 1048576;
}

static void watch(void)
{
    size_t peak_resident = 0;
    while (atomic_load(&consumers_left) > 0) {
        size_t resident = resident_bytes();
        peak_resident = resident > peak_resident ? resident : peak_resident;
        sleep_ms(SAMPLE_MS);
    }
    pthread_barrier_wait(&idle);
    size_t live = atomic_load(&live_bytes), peak_live = atomic_load(&peak_live_bytes);
    report_value("peak live, MiB", mib(peak_live));
    report_value("peak resident, MiB", mib(peak_resident));
    report_value("peak resident over peak live", (double)peak_resident / (double)peak_live);
    report_value("live at the end, MiB", mib(live));
    report_value("resident at the end, MiB", mib(resident_bytes()));
    sleep_ms(IDLE_MS);
    report_value("resident 3 s later, MiB", mib(resident_bytes()));
    pthread_barrier_wait(&watched);
}

static void *work(void *context)
{
    struct worker *worker = context;
    if (worker->role == WATCHER) {
        watch();
        return NULL;
    }
    if (worker->role == PRODUCER)
        produce(worker);
    else
        consume();
    pthread_barrier_wait(&idle);
    pthread_barrier_wait(&watched);
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    static struct worker workers[MAX_WORKERS];
    unsigned producers = (unsigned)argument_number(argv, 1, usage);
    unsigned consumers = (unsigned)argument_number(argv, 3, usage);
    unsigned count = producers + consumers + 1;
    live_each = argument_number(argv, 2, usage);
    batch_blocks = argument_number(argv, 4, usage);
    sizes = sizes_parse(argument(argv, 5, usage));
    replacements_each = argument_number(argv, 6, usage) / producers;
    if (count > MAX_WORKERS || batch_blocks > BATCH_BLOCKS)
        return 2;
    for (unsigned i = 0; i < count; i++)
        workers[i] = (struct worker){.role = i < producers ? PRODUCER : CONSUMER,
                                     .blocks = own_memory(live_each * sizeof(void *)),
                                     .rng = rng_seeded(i)};
    workers[count - 1].role = WATCHER;
    producers_left = (int)producers;
    consumers_left = (int)consumers;
    queue_init(&queue, QUEUE_BATCHES);
    pthread_barrier_init(&idle, NULL, count);
    pthread_barrier_init(&watched, NULL, count);
    run_together(work, workers, sizeof *workers, count);
    return 0;
}
