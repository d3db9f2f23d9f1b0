/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does growing a fresh heap cost?
 * COUNT blocks of SIZES are allocated and touched, and none is freed: no warm-up, every page is
 * touched for the first time, as when a program loads its data. Operation: one malloc.
 */
#include "bench.h"

static const char usage[] = "usage: first_touch SIZES COUNT";

int main(int argc, char **argv)
{
    (void)argc;
    struct rng rng = rng_seeded(1);
    struct sizes sizes = sizes_parse(argument(argv, 1, usage));
    uint64_t count = argument_number(argv, 2, usage);
    uint64_t start_ns = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        size_t bytes = sizes_pick(&sizes, &rng);
        touch_ends(must_malloc(bytes), bytes);
    }
    report_time(argv, count, cpu_ns() - start_ns);
    return 0;
}
