/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc: a pooled memory allocator. This is the whole public interface.
 *
 * Every function says: what it does; its parameters with unit and range; what it returns; errors
 * and what is left unchanged then; which threads may call it; where its behaviour is defined.
 * Unless a function says otherwise, any thread may call it at any time, and a block may be freed
 * by another thread than the one that allocated it.
 */
#ifndef POOLMALLOC_H
#define POOLMALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Memory blocks -------------------------------------------------------------------------- */

/* Allocates `bytes` bytes, aligned to 16.
 * bytes: 0 to PTRDIFF_MAX; 0 gives the smallest block, distinct from every other.
 * Returns the block, its contents undefined, or NULL.
 * Errors: ENOMEM in errno.
 * Threads: any.
 * Source: ISO C17 malloc. */
void *pm_malloc(size_t bytes);

/* Gives a block back. Preserves errno.
 * block: from any allocating function of this library, or NULL (nothing happens).
 * Errors: a block that is not live ends the process with one line and SIGABRT.
 * Threads: any.
 * Source: POSIX.1-2024 free. */
void pm_free(void *block);

/* Allocates count * bytes zeroed bytes, aligned to 16.
 * count, bytes: any; the product at most PTRDIFF_MAX.
 * Returns the block or NULL.
 * Errors: ENOMEM in errno, also when the product overflows.
 * Threads: any.
 * Source: ISO C17 calloc. */
void *pm_calloc(size_t count, size_t bytes);

/* Resizes a block, moving it when it cannot grow where it is.
 * block: live or NULL (then as pm_malloc); bytes: 0 to PTRDIFF_MAX; 0 frees a live block.
 * Returns the block with the smaller of both sizes kept; NULL when freed or on error.
 * Errors: ENOMEM in errno, the old block stays as it was.
 * Threads: any, none other using the block.
 * Source: POSIX.1-2017 realloc; realloc(block, 0) as in glibc. */
void *pm_realloc(void *block, size_t bytes);

/* As pm_realloc(block, count * bytes).
 * Errors: ENOMEM in errno, also when the product overflows; the old block stays as it was.
 * Threads: any, none other using the block.
 * Source: POSIX.1-2024 reallocarray. */
void *pm_reallocarray(void *block, size_t count, size_t bytes);

/* Allocates `bytes` bytes aligned to `alignment`.
 * alignment: a power of two; memory permitting there is no upper limit.
 * Returns the block or NULL.
 * Errors: EINVAL (not a power of two) or ENOMEM in errno.
 * Threads: any.
 * Source: ISO C17 aligned_alloc. */
void *pm_aligned_alloc(size_t alignment, size_t bytes);

/* As pm_aligned_alloc, the block stored in *block.
 * alignment: a power of two and a multiple of sizeof(void *).
 * Returns 0, EINVAL or ENOMEM; errno and, on error, *block stay as they were.
 * Threads: any.
 * Source: POSIX.1-2024 posix_memalign. */
int pm_posix_memalign(void **block, size_t alignment, size_t bytes);

/* How many bytes of a block may be used: at least what was asked for.
 * block: live, or NULL (0).
 * Threads: any.
 * Source: glibc malloc_usable_size. */
size_t pm_usable_size(const void *block);

/* As pm_free(block), with the size that was asked for.
 * block: from pm_malloc, pm_calloc or pm_realloc, or NULL; bytes: the last size asked for it.
 * Errors: a size that cannot be the block's ends the process with one line and SIGABRT.
 * Threads: any.
 * Source: ISO C23 free_sized. */
void pm_free_sized(void *block, size_t bytes);

/* As pm_free(block), with alignment and size as they were asked for.
 * block: from pm_aligned_alloc, or NULL; alignment, bytes: as given there.
 * Errors: a size or an alignment that cannot be the block's ends the process.
 * Threads: any.
 * Source: ISO C23 free_aligned_sized. */
void pm_free_aligned_sized(void *block, size_t alignment, size_t bytes);

#ifdef __cplusplus
}
#endif

/* For programs that link the library: what is built on top of the allocator. */
#include "poolmalloc/control.h"
#include "poolmalloc/pool.h"
#include "poolmalloc/buffer.h"
#include "poolmalloc/resource.h"
#include "poolmalloc/arena.h"
#include "poolmalloc/scope.h"

#endif
