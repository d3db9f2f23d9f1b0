/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program for the tests of the command: THREADS threads that replace blocks of mixed sizes, then
 * says "ready" and goes on until its input ends. With a second argument each thread works for so
 * many rounds, and the program ends by itself: then its time is measured. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCKS = 64, FIRST_ROUNDS = 500, STACK_BYTES = 64 << 10, PAUSE_US = 20000 };

static _Atomic unsigned ready_count;
static _Atomic int must_end;
static unsigned long rounds; /* 0: until must_end */

static unsigned next(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 8;
}

static void replace_one(void **blocks, unsigned *state)
{
    unsigned index = next(state) % BLOCKS;
    size_t bytes = 16 + next(state) % (next(state) % 16 == 0 ? 20000 : 600);
    free(blocks[index]);
    blocks[index] = malloc(bytes);
    *(volatile char *)blocks[index] = 1;
}

static void *work(void *number)
{
    void *blocks[BLOCKS] = {0};
    unsigned state = (unsigned)(uintptr_t)number;
    for (unsigned i = 0; i < FIRST_ROUNDS; i++) {
        replace_one(blocks, &state);
    }
    atomic_fetch_add(&ready_count, 1);
    for (unsigned long round = 0; rounds == 0 ? !must_end : round < rounds; round++) {
        replace_one(blocks, &state);
        if (rounds == 0) {
            usleep(PAUSE_US);
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
    rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    pthread_t *threads = calloc(count, sizeof(*threads));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], &attributes, work, (void *)(uintptr_t)i) != 0) {
            perror("pthread_create");
            return EXIT_FAILURE;
        }
    }
    while (rounds == 0 && ready_count < count) {
        usleep(PAUSE_US);
    }
    puts("ready");
    fflush(stdout);
    while (rounds == 0 && getchar() != EOF) {
    }
    must_end = 1;
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
    return EXIT_SUCCESS;
}
