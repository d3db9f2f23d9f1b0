/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers into the middle of a block. In the first page of a cached class they may lie in the
 * cache until that is flushed; further pages of a run and whatever is huge never pass. */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 65536-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 65536-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
#include "misuse.h"

enum { RUN_BYTES = 64 << 10, HUGE_BYTES = 20 << 20, PAGE = 8 << 10 };

static void free_inside(size_t bytes, size_t offset)
{
    pm_free((char *)pm_malloc(bytes) + offset);
}

static void aligned(void)
{
    free_inside(64, 16);
}

static void aligned_checked(void)
{
    check_every_call();
    aligned();
}

static void unaligned(void)
{
    free_inside(64, 1);
}

static void unaligned_checked(void)
{
    check_every_call();
    unaligned();
}

static void in_a_run(void)
{
    free_inside(RUN_BYTES, 16);
}

static void in_a_run_checked(void)
{
    check_every_call();
    in_a_run();
}

static void in_a_further_page_of_a_run(void)
{
    free_inside(RUN_BYTES, PAGE);
}

static void in_a_huge_block(void)
{
    free_inside(HUGE_BYTES, 16);
}

static void far_in_a_huge_block(void)
{
    free_inside(HUGE_BYTES, HUGE_BYTES - PAGE);
}

static void (*const cases[])(void) = {
    aligned,
    aligned_checked,
    unaligned,
    unaligned_checked,
    in_a_run,
    in_a_run_checked,
    in_a_further_page_of_a_run,
    in_a_huge_block,
    far_in_a_huge_block,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
