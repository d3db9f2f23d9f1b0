/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Misuse of pools and buffers by the program: fatal in checking mode, counted otherwise. */
#ifndef POOLMALLOC_MISUSE_H
#define POOLMALLOC_MISUSE_H

#include "compiler.h"

#define MISUSE_BUFFER_RELEASED "buffer used after release"
#define MISUSE_DOUBLE_RELEASE "buffer released too often"
#define MISUSE_FOREIGN_BLOCK "block put into a fixed pool that is not its own"
#define MISUSE_DOUBLE_PUT "block put into a fixed pool twice"
#define MISUSE_DOUBLE_RESOURCE "resource put into a pool twice"
#define FATAL_POOL_DESTROYED "object pool used after destroy"
#define FATAL_TIERS_DESTROYED "tiers used after destroy"
#define FATAL_RESOURCES_DESTROYED "resource pool used after destroy"
#define FATAL_ARENA_DESTROYED "arena used after destroy"

/* Ends the process in checking mode ("poolmalloc: fatal: WHAT: ADDRESS"), else counts. */
COLD NOINLINE void misuse(const char *what, const void *address);

/* Frees the memory of a destroyed object, but the last few are kept until others follow: late use
 * finds their mark, and not memory that is somebody else's by now. */
void free_destroyed(void *memory);

#endif
