/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libc's names that are more than another name for ours (those are in aliases.ld). */
#include "poolmalloc.h"

#include "arena.h"
#include "bits.h"
#include "compiler.h"
#include "config.h"
#include "os.h"

#include <errno.h>
#include <stdint.h>

/* glibc's numbers; <malloc.h> would declare what is defined here with other attributes. */
enum { M_TRIM_THRESHOLD = -1, M_ARENA_MAX = -8 };

PUBLIC void *aligned_alloc(size_t alignment, size_t bytes);
PUBLIC void *memalign(size_t alignment, size_t bytes);
PUBLIC void *valloc(size_t bytes);
PUBLIC void *pvalloc(size_t bytes);
PUBLIC int malloc_trim(size_t pad);
PUBLIC int mallopt(int parameter, int value);
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

/* glibc's: 1 if the setting was taken, else 0. Only those are taken that mean something here: the
 * number of arenas, while there is not more than one, and whether free memory goes back at all
 * (M_TRIM_THRESHOLD -1: never). */
int mallopt(int parameter, int value)
{
    if (parameter == M_ARENA_MAX && value > 0 && value <= ARENA_MAX_COUNT && arena_count() <= 1) {
        config.arenas = (uint64_t)value;
        return 1;
    }
    if (parameter == M_TRIM_THRESHOLD && value == -1) {
        return pm_option_set("decay_ms", "never");
    }
    return 0;
}
