/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What poolmalloc compare measured, for its table and its page. */
#ifndef POOLMALLOC_CLI_COMPARE_H
#define POOLMALLOC_CLI_COMPARE_H

#include "measure.h"

/* What is compared; less is better. */
enum measured { MEASURED_WALL, MEASURED_CPU, MEASURED_PEAK, MEASURED_MEAN, MEASURED_COUNT };

struct comparison {
    char **command;
    bool shows_output;
    const char *page_path; /* NULL: no page */
    unsigned run_count;    /* of each allocator */
    unsigned allocator_count;
    struct allocator allocators[ALLOCATORS_MAX]; /* the libc's first, the pool's last */
    struct run *runs;                            /* of allocator a: from [a * run_count] on */
    char verdict[512];
};

/* The runs of one allocator by one measure. */
struct spread {
    double least;
    double lower; /* quartiles */
    double median;
    double upper;
    double most;
};
struct spread spread_of(const struct comparison *comparison, unsigned allocator,
                        enum measured measured);

double run_value(const struct run *run, enum measured measured);

/* Writes the HTML page. */
void compare_save_page(const struct comparison *comparison);

#endif
