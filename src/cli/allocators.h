/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mallocs on this machine that a program can be started with. */
#ifndef POOLMALLOC_CLI_ALLOCATORS_H
#define POOLMALLOC_CLI_ALLOCATORS_H

#include <limits.h>

enum { ALLOCATORS_MAX = 12 };

struct allocator {
    char name[24];
    char path[PATH_MAX]; /* "": the libc's own */
};

/* Writes the libc's, then those found in the library folders, then the pool's (`library`).
 * Returns how many. */
unsigned allocators_find(struct allocator *found, const char *library);

/* Adds NAME=FILE before the last one. Ends the command where that is wrong. */
unsigned allocators_add(struct allocator *found, unsigned count, const char *name_and_path);

#endif
