/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does a heap that has lived long need more memory than its blocks?
 * Phases follow each other, each with its own mix of sizes: blocks are allocated until LIVE_MIB are
 * live, then STEPS times a random block is freed or a new one allocated, then 90 % of all blocks
 * are freed at random, so that what is left of each phase lies scattered under the next one.
 * Printed: the means of resident over live bytes before the frees and PAUSE_MS after them, and, if
 * there are pauses, each phase's. Operation: one malloc or one free; pauses are not counted.
 */
#include "bench.h"

#include <stdio.h>

static const char usage[] = "usage: ageing LIVE_MIB STEPS PAUSE_MS";

static const char *const phase_sizes[] = {"16-128",     "32-512", "16~4096",  "256-2048",
                                          "1024-16384", "16-64",  "64~32768", "100-1000"};

enum { PHASES = sizeof phase_sizes / sizeof *phase_sizes, MAX_BLOCKS = 1 << 22 };

struct heap {
    void **blocks;
    uint32_t *bytes; /* of each block */
    size_t count;
    size_t live_bytes;
    uint64_t operations;
    struct rng rng;
};

static void add_block(struct heap *heap, const struct sizes *sizes)
{
    size_t bytes = sizes_pick(sizes, &heap->rng);
    void *block = must_malloc(bytes);
    touch_pages(block, bytes);
    heap->blocks[heap->count] = block;
    heap->bytes[heap->count++] = (uint32_t)bytes;
    heap->live_bytes += bytes;
    heap->operations++;
}

static void free_block(struct heap *heap, size_t index)
{
    free(heap->blocks[index]);
    heap->live_bytes -= heap->bytes[index];
    heap->count--;
    heap->blocks[index] = heap->blocks[heap->count];
    heap->bytes[index] = heap->bytes[heap->count];
    heap->operations++;
}

static void live_phase(struct heap *heap, const struct sizes *sizes, size_t target_bytes,
                       uint64_t steps)
{
    while (heap->live_bytes < target_bytes && heap->count < MAX_BLOCKS)
        add_block(heap, sizes);
    while (steps--) {
        if (heap->live_bytes < target_bytes && heap->count < MAX_BLOCKS)
            add_block(heap, sizes);
        else
            free_block(heap, rng_below(&heap->rng, heap->count));
    }
}

/* Backwards, so that the block moved into the gap has had its turn. */
static void free_most(struct heap *heap)
{
    for (size_t i = heap->count; i-- > 0;)
        if (rng_below(&heap->rng, 10) != 0)
            free_block(heap, i);
}

static double resident_over_live(const struct heap *heap)
{
    return (double)resident_bytes() / (double)heap->live_bytes;
}

static void report_phase(unsigned phase, double full, double tenth)
{
    char label[64];
    snprintf(label, sizeof label, "%u (%s) full", phase + 1, phase_sizes[phase]);
    report_value(label, full);
    snprintf(label, sizeof label, "%u (%s) 10%%", phase + 1, phase_sizes[phase]);
    report_value(label, tenth);
}

int main(int argc, char **argv)
{
    (void)argc;
    size_t target_bytes = argument_number(argv, 1, usage) << 20;
    uint64_t steps = argument_number(argv, 2, usage);
    unsigned pause_ms = (unsigned)argument_number(argv, 3, usage);
    struct heap heap = {.blocks = own_memory(MAX_BLOCKS * sizeof *heap.blocks),
                        .bytes = own_memory(MAX_BLOCKS * sizeof *heap.bytes),
                        .rng = rng_seeded(1)};
    double full_sum = 0, tenth_sum = 0;
    uint64_t ns = 0;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        struct sizes sizes = sizes_parse(phase_sizes[phase]);
        uint64_t start_ns = cpu_ns();
        live_phase(&heap, &sizes, target_bytes, steps);
        ns += cpu_ns() - start_ns;
        double full = resident_over_live(&heap);
        start_ns = cpu_ns();
        free_most(&heap);
        ns += cpu_ns() - start_ns;
        sleep_ms(pause_ms);
        double tenth = resident_over_live(&heap);
        if (pause_ms > 0)
            report_phase(phase, full, tenth);
        full_sum += full;
        tenth_sum += tenth;
    }
    report_value("mean full", full_sum / PHASES);
    report_value("mean 10%", tenth_sum / PHASES);
    report_time(argv, heap.operations, ns);
    return 0;
}
