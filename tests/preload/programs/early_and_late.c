/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocates wherever a program can: before and in constructors of every priority, in main, in a
 * thread, at exit, in destructors. What is allocated in one place is freed in a later one. Prints
 * one line: whether the blocks are poolmalloc's, and how many places there were. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 1000, PLACES = 9 };

static void *blocks[PLACES];
static unsigned places;

/* poolmalloc has a class of 1,024 bytes and no header; libc's blocks of 1,000 hold 1,000 or 1,008.
 */
static void allocate_here(void)
{
    free(places > 0 ? blocks[places - 1] : NULL);
    blocks[places] = malloc(BYTES);
    if (blocks[places] == NULL) {
        abort();
    }
    memset(blocks[places], 1, BYTES);
    places++;
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = allocate_here;

__attribute__((constructor(101))) static void construct_first(void)
{
    allocate_here();
}
__attribute__((constructor(1000))) static void construct_early(void)
{
    allocate_here();
}
__attribute__((constructor)) static void construct(void)
{
    allocate_here();
}

static void at_exit(void)
{
    allocate_here();
}

__attribute__((destructor)) static void destruct(void)
{
    allocate_here();
}
__attribute__((destructor(101))) static void destruct_last(void)
{
    allocate_here();
    printf("%s, %u places\n", malloc_usable_size(blocks[places - 1]) == 1024 ? "pool" : "libc",
           places);
    fflush(stdout);
}

static void *in_thread(void *unused)
{
    allocate_here();
    return unused;
}

int main(void)
{
    pthread_t thread;
    allocate_here();
    atexit(at_exit);
    if (pthread_create(&thread, NULL, in_thread, NULL) != 0) {
        return 1;
    }
    pthread_join(thread, NULL);
    return 0;
}
