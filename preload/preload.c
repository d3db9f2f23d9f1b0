/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libc's names that are more than another name for ours (those are in aliases.ld). */
#include "poolmalloc.h"

#include "bits.h"
#include "compiler.h"
#include "os.h"

#include <errno.h>
#include <stdint.h>

PUBLIC void *aligned_alloc(size_t alignment, size_t bytes);
PUBLIC void *memalign(size_t alignment, size_t bytes);
PUBLIC void *valloc(size_t bytes);
PUBLIC void *pvalloc(size_t bytes);
PUBLIC int malloc_trim(size_t pad);
PUBLIC void free_sized(void *block, size_t bytes);
PUBLIC void free_aligned_sized(void *block, size_t alignment, size_t bytes);

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return pm_aligned_alloc(alignment, bytes);
}

/* As in glibc an alignment that is no power of two is rounded up to one. */
void *memalign(size_t alignment, size_t bytes)
{
    if (unlikely(alignment > SIZE_MAX / 2 + 1)) {
        errno = EINVAL;
        return NULL;
    }
    return pm_aligned_alloc((size_t)1 << log2_ceil(alignment), bytes);
}

void *valloc(size_t bytes)
{
    return pm_aligned_alloc(os_page_bytes(), bytes);
}

void *pvalloc(size_t bytes)
{
    if (unlikely(bytes > PTRDIFF_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    return pm_aligned_alloc(os_page_bytes(), align_up(bytes, os_page_bytes()));
}

void free_sized(void *block, size_t bytes)
{
    pm_free_sized(block, bytes);
}

void free_aligned_sized(void *block, size_t alignment, size_t bytes)
{
    pm_free_aligned_sized(block, alignment, bytes);
}

/* glibc's: 1 if memory went back. How much to keep at the top of a heap means nothing here. */
int malloc_trim(size_t pad)
{
    (void)pad;
    return pm_trim();
}
