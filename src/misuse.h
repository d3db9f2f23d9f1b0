/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Misuse of pools and buffers by the program: fatal in checking mode, counted otherwise. */
#ifndef POOLMALLOC_MISUSE_H
#define POOLMALLOC_MISUSE_H

#include "compiler.h"

#define MISUSE_BUFFER_RELEASED "buffer used after release"
#define MISUSE_DOUBLE_RELEASE "buffer released too often"
#define MISUSE_FOREIGN_BLOCK "block put into a fixed pool that is not its own"
#define MISUSE_DOUBLE_PUT "block put into a fixed pool twice"
#define FATAL_POOL_DESTROYED "object pool used after destroy"

/* Ends the process in checking mode ("poolmalloc: fatal: WHAT: ADDRESS"), else counts. */
COLD NOINLINE void misuse(const char *what, const void *address);

#endif
