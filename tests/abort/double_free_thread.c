/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block is freed by its owner and by another thread. Each copy lies in a cache of its own until
 * both came back: here the other thread's when the depots are emptied. */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
/* expect: poolmalloc: fatal: double free: ADDRESS, 48-byte slot */
#include "misuse.h"

#include "purge.h"

#include <pthread.h>

enum { BYTES = 40 };

static void *free_it(void *block)
{
    pm_free(block);
    return NULL;
}

static void free_in_two_threads(void)
{
    pthread_t other;
    void *kept = pm_malloc(BYTES);
    void *block = pm_malloc(BYTES);
    pm_free(block);
    pthread_create(&other, NULL, free_it, block);
    pthread_join(other, NULL);
    pm_free(kept);
}

static void from_another_thread(void)
{
    free_in_two_threads();
    tcache_flush();
    purge_all();
}

static void from_another_thread_checked(void)
{
    check_every_call();
    free_in_two_threads();
}

static void (*const cases[])(void) = {from_another_thread, from_another_thread_checked};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
