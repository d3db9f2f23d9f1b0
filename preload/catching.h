/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* try { return function(bytes, alignment); } catch (...) { return NULL; } for C. */
#ifndef POOLMALLOC_CATCHING_H
#define POOLMALLOC_CATCHING_H

#include <stddef.h>

/* The function is called as void *(size_t bytes, size_t alignment) or void *(size_t bytes). Forced
 * unwinding (cancellation, pthread_exit) passes through. */
void *call_catching(void (*function)(void), size_t bytes, size_t alignment);

#endif
