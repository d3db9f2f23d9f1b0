/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CHECK for programs that use the library as its users do: prints what does not hold, counts, and
 * sums up in the last line that scripts/run_checks.sh reads. C and C++. */
#ifndef POOLMALLOC_API_CHECK_H
#define POOLMALLOC_API_CHECK_H

#include <stdio.h>

static unsigned check_passed_count;
static unsigned check_failed_count;

#define CHECK(holds)                                                                               \
    do {                                                                                           \
        if (holds) {                                                                               \
            check_passed_count++;                                                                  \
        } else {                                                                                   \
            check_failed_count++;                                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #holds);                                     \
        }                                                                                          \
    } while (0)

static inline int check_summary(void)
{
    printf("%u passed, %u failed\n", check_passed_count, check_failed_count);
    return check_failed_count != 0;
}

#endif
