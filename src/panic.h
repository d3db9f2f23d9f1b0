/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said when something is wrong: one line, one write to stderr, no allocation. */
#ifndef POOLMALLOC_PANIC_H
#define POOLMALLOC_PANIC_H

#include "compiler.h"

#include <stdatomic.h>
#include <stddef.h>

/* "poolmalloc: fatal: WHAT: ADDRESS, DETAIL", then abort. detail_bytes: a number put before
 * `detail`, or 0 for none; detail: or NULL. The wordings are the fatal list below. */
COLD NORETURN void panic_at(const char *what, const void *address, size_t detail_bytes,
                            const char *detail);
/* "poolmalloc: fatal: WHAT", then abort. */
COLD NORETURN void panic(const char *what);
/* "poolmalloc: warning: WHAT", and on. */
COLD void warn(const char *what);
COLD void warn_at(const char *what, const void *address);

/* Gets warnings in place of standard error, and fatal lines too; without "\n". NULL: nobody.
 * relaxed: a late reader says one more line to the old one. */
typedef void (*panic_hook)(const char *line);
extern _Atomic(panic_hook) panic_line_hook;

/* Every wording of a misuse, so that tests and users find them in one place. */
#define FATAL_DOUBLE_FREE "double free"
#define FATAL_INTERIOR "free of a pointer into the middle of a block"
#define FATAL_FOREIGN "free of a pointer that is not from this allocator"
#define FATAL_FOREIGN_REALLOC "realloc of a pointer that is not from this allocator"
#define FATAL_FOREIGN_USABLE "usable size of a pointer that is not from this allocator"
#define FATAL_WRONG_SIZE "free_sized with a wrong size"
#define FATAL_WRONG_ALIGNMENT "free_aligned_sized with a wrong alignment"
#define FATAL_NO_METADATA "no memory for the allocator's own tables"
#define FATAL_FREED_REALLOC "realloc of a freed pointer"
#define FATAL_INTERIOR_REALLOC "realloc of a pointer into the middle of a block"
#define FATAL_FREED_USABLE "usable size of a freed pointer"
#define FATAL_INTERIOR_USABLE "usable size of a pointer into the middle of a block"

COLD NORETURN void assert_failed(const char *expression, const char *file, int line);

#ifdef POOLMALLOC_DEBUG
#define pm_assert(expression)                                                                      \
    (likely(expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))
#else
#define pm_assert(expression) ((void)sizeof(!!(expression)))
#endif

#endif
