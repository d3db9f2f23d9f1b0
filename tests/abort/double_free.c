/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block of a small class is freed twice. By default the second free may lie in the thread's cache
 * until that is flushed, at the end of the process at the latest; with check:true none passes. */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS */
#include "misuse.h"

enum { BYTES = 40, OTHERS = 200 };

static void at_once(void)
{
    void *block = pm_malloc(BYTES);
    pm_free(block);
    pm_free(block);
}

static void after_other_frees(void)
{
    void *others[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        others[i] = pm_malloc(BYTES);
    }
    void *block = others[OTHERS / 2];
    for (int i = 0; i < OTHERS; i++) {
        pm_free(others[i]);
    }
    pm_free(block);
}

static void after_realloc(void)
{
    void *block = pm_malloc(BYTES);
    void *moved = pm_realloc(block, 100 * BYTES);
    pm_free(block);
    pm_free(moved);
}

/* The page went back to the arena with its last slot: nothing of ours lies there any more. */
static void after_the_page_went_back(void)
{
    void *block = pm_malloc(BYTES);
    pm_free(block);
    tcache_flush();
    pm_free(block);
}

static void at_once_checked(void)
{
    check_every_call();
    void *kept = pm_malloc(BYTES);
    at_once();
    pm_free(kept);
}

static void after_other_frees_checked(void)
{
    check_every_call();
    void *kept = pm_malloc(BYTES);
    after_other_frees();
    pm_free(kept);
}

static void after_realloc_checked(void)
{
    check_every_call();
    void *kept = pm_malloc(BYTES);
    after_realloc();
    pm_free(kept);
}

static void (*const cases[])(void) = {
    at_once,
    after_other_frees,
    after_realloc,
    at_once_checked,
    after_other_frees_checked,
    after_realloc_checked,
    after_the_page_went_back,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
