/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and alignments that cannot be the block's: found at once. */
/* expect: poolmalloc: fatal: free_sized with a wrong size: ADDRESS, 112-byte block */
/* expect: poolmalloc: fatal: free_sized with a wrong size: ADDRESS, 112-byte block */
/* expect: poolmalloc: fatal: free_sized with a wrong size: ADDRESS, 65536-byte block */
/* expect: poolmalloc: fatal: free_sized with a wrong size: ADDRESS, 112-byte block */
/* expect: poolmalloc: fatal: free_aligned_sized with a wrong alignment: ADDRESS, 4096-byte alignment */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
#include "misuse.h"

static char global[64];

static void too_large(void)
{
    pm_free_sized(pm_malloc(100), 113);
}

static void too_small(void)
{
    pm_free_sized(pm_malloc(100), 55);
}

static void too_large_for_a_run(void)
{
    pm_free_sized(pm_malloc(65536), 65537);
}

static void aligned_too_large(void)
{
    pm_free_aligned_sized(pm_aligned_alloc(16, 100), 16, 113);
}

static void wrong_alignment(void)
{
    pm_malloc(64);
    pm_free_aligned_sized(pm_malloc(64), 4096, 64);
}

static void foreign(void)
{
    pm_free_sized(global, 64);
}

static void (*const cases[])(void) = {
    too_large, too_small, too_large_for_a_run, aligned_too_large, wrong_alignment, foreign,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
