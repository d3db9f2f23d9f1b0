/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the programs of this folder: each runs the case whose number it is given. A case must not
 * come back alive, or, where the second line of defence is the end of the process, must die there.
 */
#ifndef POOLMALLOC_TEST_MISUSE_H
#define POOLMALLOC_TEST_MISUSE_H

#include "config.h"
#include "poolmalloc.h"
#include "tcache.h"

#include <stdlib.h>

/* Returns what main returns. */
static inline int run_case(int argc, char **argv, void (*const cases[])(void))
{
    cases[argc > 1 ? strtol(argv[1], NULL, 10) : 0]();
    return EXIT_SUCCESS;
}

/* As POOLMALLOC_CONF=check:true would. */
static inline void check_every_call(void)
{
    config_set("check", "true");
}

#endif
