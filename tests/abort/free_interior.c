/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers into the middle of a block. In the first page of a cached class they may lie in the
 * cache until that is flushed, if they are aligned; others, further pages of a run and whatever is
 * huge never pass. */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 64-byte slot */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 65536-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 1048576-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 65536-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS, 65536-byte run */
/* expect: poolmalloc: fatal: free of a pointer into the middle of a block: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
#include "misuse.h"

#include <unistd.h>

enum { RUN_BYTES = 64 << 10, LARGE_RUN_BYTES = 1 << 20, HUGE_BYTES = 20 << 20, PAGE = 8 << 10 };

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

/* At once: the end of the process would not find it either. */
static void free_unaligned(size_t bytes)
{
    free_inside(bytes, 8);
    _exit(EXIT_SUCCESS);
}

static void unaligned(void)
{
    free_unaligned(64);
}

static void unaligned_checked(void)
{
    check_every_call();
    unaligned();
}

static void unaligned_in_a_run(void)
{
    free_unaligned(RUN_BYTES);
}

static void unaligned_in_a_large_run(void)
{
    free_unaligned(LARGE_RUN_BYTES);
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
    aligned,           aligned_checked,     unaligned,
    unaligned_checked, unaligned_in_a_run,  unaligned_in_a_large_run,
    in_a_run,          in_a_run_checked,    in_a_further_page_of_a_run,
    in_a_huge_block,   far_in_a_huge_block,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
