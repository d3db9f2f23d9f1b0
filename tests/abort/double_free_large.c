/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run of pages or a huge block is freed twice. Runs up to cached_max may lie in the cache twice
 * until it is flushed; larger ones and huge blocks never pass. */
/* expect: poolmalloc: fatal: double free: ADDRESS, a run of pages */
/* expect: poolmalloc: fatal: double free: ADDRESS */
/* expect: poolmalloc: fatal: double free: ADDRESS */
/* expect: poolmalloc: fatal: double free: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: double free: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
#include "misuse.h"

#include "page_map.h"
#include "purge.h"

enum { CACHED_BYTES = 64 << 10, UNCACHED_BYTES = 1 << 20, HUGE_BYTES = 20 << 20 };

static void free_twice(size_t bytes)
{
    void *block = pm_malloc(bytes);
    pm_free(block);
    pm_free(block);
}

static void a_cached_run(void)
{
    free_twice(CACHED_BYTES);
}

static void a_cached_run_checked(void)
{
    check_every_call();
    free_twice(CACHED_BYTES);
}

static void an_uncached_run(void)
{
    free_twice(UNCACHED_BYTES);
}

static void a_huge_block(void)
{
    free_twice(HUGE_BYTES);
}

static void a_huge_block_after_realloc(void)
{
    void *block = pm_malloc(HUGE_BYTES);
    void *moved = pm_realloc(block, UNCACHED_BYTES);
    pm_free(block);
    pm_free(moved);
}

/* Its mapping was unmapped since. */
static void a_huge_block_that_is_gone(void)
{
    void *block = pm_malloc(HUGE_BYTES);
    pm_free(block);
    purge_all();
    pm_free(block);
}

/* Its chunk was unmapped since. */
static void a_run_of_a_chunk_that_is_gone(void)
{
    enum { RUNS = 48 }; /* in more than two chunks */
    void *blocks[RUNS];
    for (int i = 0; i < RUNS; i++) {
        blocks[i] = pm_malloc(UNCACHED_BYTES);
    }
    for (int i = 0; i < RUNS; i++) {
        pm_free(blocks[i]);
    }
    purge_all();
    for (int i = 0; i < RUNS; i++) {
        if (page_map_chunk(blocks[i]) == NULL) {
            pm_free(blocks[i]);
        }
    }
}

static void (*const cases[])(void) = {
    a_cached_run,
    a_cached_run_checked,
    an_uncached_run,
    a_huge_block,
    a_huge_block_that_is_gone,
    a_huge_block_after_realloc,
    a_run_of_a_chunk_that_is_gone,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
