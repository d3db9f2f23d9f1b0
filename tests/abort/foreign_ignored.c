/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* With foreign:ignore a foreign pointer is named the first time and everything goes on: these cases
 * end by an abort of their own, only once all of that was seen. */
/* expect: poolmalloc: warning: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: warning: realloc of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: warning: usable size of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: double free: ADDRESS */
#include "misuse.h"

#include <errno.h>
#include <string.h>

static char global[64] = "untouched";

static void ignore(void)
{
    config_set("foreign", "ignore");
}

/* The test's own end: only if the allocator still works and nothing was touched. */
static void abort_if_all_is_well(void)
{
    char *block = pm_malloc(100);
    memset(block, 1, 100);
    pm_free(block);
    if (strcmp(global, "untouched") == 0 && tcache_is_valid(tcache_current())) {
        abort();
    }
}

static void free_goes_on(void)
{
    ignore();
    errno = 77;
    pm_free(global);
    pm_free(global + 16);
    if (errno == 77) {
        abort_if_all_is_well();
    }
}

static void realloc_returns_null(void)
{
    ignore();
    if (pm_realloc(global, 100) == NULL) {
        abort_if_all_is_well();
    }
}

static void usable_size_is_0(void)
{
    ignore();
    if (pm_usable_size(global) == 0) {
        abort_if_all_is_well();
    }
}

/* What is ours is never ignored. */
static void a_double_free_is_fatal(void)
{
    ignore();
    void *run = pm_malloc(1 << 20);
    pm_free(run);
    pm_free(run);
}

static void (*const cases[])(void) = {
    free_goes_on,
    realloc_returns_null,
    usable_size_is_0,
    a_double_free_is_fatal,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
