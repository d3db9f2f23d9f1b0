/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plug-in linked to poolmalloc, opened by a program that knows nothing of it. */
#include <poolmalloc.h>
#include <stdlib.h>
#include <string.h>

void plug_in_run(void);

void plug_in_run(void)
{
    for (size_t i = 1; i < 2000; i++) {
        char *ours = pm_malloc(i * 10);
        char *theirs = malloc(i * 10); /* whichever malloc the program has */
        memset(ours, 1, i * 10);
        memset(theirs, 2, i * 10);
        free(theirs);
        pm_free(ours);
    }
}
