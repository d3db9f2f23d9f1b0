/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What do large blocks cost, page faults included?
 * LIVE buffers of SIZES; the oldest is freed and a new one allocated, and
 *     first  its first and last word are touched, as a reader's buffer that is mostly unused
 *     full   a word in every 4 KiB is touched
 *     zero   it comes from calloc and half of its pages are touched
 * The time an allocator saves by keeping memory shows here, and what it keeps in the peak.
 * Operation: one free and one allocation with the touching.
 */
#include "bench.h"

#include <string.h>

static const char usage[] = "usage: buffers first|full|zero LIVE SIZES BUFFERS";

enum touching { FIRST, FULL, ZERO };

struct ring {
    void **buffers;
    size_t live;
    struct sizes sizes;
    enum touching touching;
    struct rng rng;
};

static enum touching touching_parse(const char *name)
{
    if (strcmp(name, "zero") == 0)
        return ZERO;
    return strcmp(name, "full") == 0 ? FULL : FIRST;
}

static void *buffer_get(struct ring *ring)
{
    size_t bytes = sizes_pick(&ring->sizes, &ring->rng);
    void *buffer = ring->touching == ZERO ? calloc(1, bytes) : malloc(bytes);
    if (ring->touching == FIRST)
        touch_ends(buffer, bytes);
    if (ring->touching == FULL)
        touch_pages(buffer, bytes);
    if (ring->touching == ZERO)
        touch_pages(buffer, bytes / 2);
    return buffer;
}

static void turn(struct ring *ring, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        size_t oldest = i % ring->live;
        free(ring->buffers[oldest]);
        ring->buffers[oldest] = buffer_get(ring);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    struct ring ring = {.live = argument_number(argv, 2, usage),
                        .sizes = sizes_parse(argument(argv, 3, usage)),
                        .touching = touching_parse(argument(argv, 1, usage)),
                        .rng = rng_seeded(1)};
    uint64_t count = argument_number(argv, 4, usage);
    ring.buffers = own_memory(ring.live * sizeof *ring.buffers);
    turn(&ring, ring.live + count / 10);
    uint64_t start_ns = cpu_ns();
    turn(&ring, count);
    report_time(argv, count, cpu_ns() - start_ns);
    return 0;
}
