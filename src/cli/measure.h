/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a program under one allocator: its time, and its memory over time.
 *
 * Memory is the resident memory of the program and of the processes that its first thread started,
 * read from /proc while it runs; the peak is at least what the kernel says of the largest of them.
 */
#ifndef POOLMALLOC_CLI_MEASURE_H
#define POOLMALLOC_CLI_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "allocators.h"

enum { SAMPLES_MAX = 400 };

struct sample {
    double seconds; /* since the start */
    double bytes;
};

struct run {
    double wall_seconds;
    double cpu_seconds; /* user and system, with processes that were waited for */
    double peak_bytes;
    double mean_bytes; /* over time */
    int status;        /* as wait has it */
    unsigned sample_count;
    struct sample samples[SAMPLES_MAX];
};

/* command: NULL-terminated. Its input is ours if that is a file, else empty; its output is dropped
 * unless shows_output. */
void measure_run(struct run *run, const struct allocator *allocator, char **command,
                 bool shows_output);

#endif
