/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* realloc and malloc_usable_size of what is freed, foreign or no block. A freed small block that
 * still lies in the cache looks alive, so realloc frees it a second time or leaves it in place. */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: realloc of a freed pointer: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: realloc of a freed pointer: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: realloc of a freed pointer: ADDRESS */
/* expect: poolmalloc: fatal: realloc of a freed pointer: ADDRESS */
/* expect: poolmalloc: fatal: realloc of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: realloc of a pointer into the middle of a block: ADDRESS */
/* expect: poolmalloc: fatal: realloc of a pointer into the middle of a block: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: usable size of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: usable size of a freed pointer: ADDRESS */
/* expect: poolmalloc: fatal: usable size of a pointer into the middle of a block: ADDRESS */
#include "misuse.h"

enum { BYTES = 40, RUN_BYTES = 1 << 20, HUGE_BYTES = 20 << 20, PAGE = 8 << 10 };

static char global[64];

static void *freed(size_t bytes)
{
    void *block = pm_malloc(bytes);
    pm_free(block);
    return block;
}

static void of_a_freed_block(void)
{
    pm_free(pm_realloc(freed(BYTES), 100 * BYTES));
}

static void of_a_freed_block_checked(void)
{
    check_every_call();
    pm_malloc(BYTES);
    of_a_freed_block();
}

static void of_a_freed_block_in_place_checked(void)
{
    check_every_call();
    pm_malloc(BYTES);
    pm_realloc(freed(BYTES), BYTES + 1);
}

static void of_a_freed_run(void)
{
    pm_realloc(freed(RUN_BYTES), BYTES);
}

static void of_a_freed_huge_block(void)
{
    pm_realloc(freed(HUGE_BYTES), BYTES);
}

static void of_a_global(void)
{
    pm_realloc(global, BYTES);
}

static void inside_a_run(void)
{
    pm_realloc((char *)pm_malloc(RUN_BYTES) + PAGE, BYTES);
}

static void inside_a_block_checked(void)
{
    check_every_call();
    pm_realloc((char *)pm_malloc(BYTES) + 16, BYTES);
}

static void usable_size_of_a_global(void)
{
    pm_usable_size(global);
}

static void usable_size_of_a_freed_run(void)
{
    pm_usable_size(freed(RUN_BYTES));
}

static void usable_size_inside_a_run(void)
{
    pm_usable_size((char *)pm_malloc(RUN_BYTES) + PAGE);
}

static void (*const cases[])(void) = {
    of_a_freed_block,
    of_a_freed_block_checked,
    of_a_freed_block_in_place_checked,
    of_a_freed_run,
    of_a_freed_huge_block,
    of_a_global,
    inside_a_run,
    inside_a_block_checked,
    usable_size_of_a_global,
    usable_size_of_a_freed_run,
    usable_size_inside_a_run,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
