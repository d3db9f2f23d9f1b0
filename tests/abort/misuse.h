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

#define run_case(argc, argv, cases) (cases[(argc) > 1 ? atoi((argv)[1]) : 0](), EXIT_SUCCESS)

/* As POOLMALLOC_CONF=check:true would. */
static inline void check_every_call(void)
{
    config_set("check", "true");
}

#endif
