/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens the library by its path, so that fork and pthread_create are libc's own to it, and forks
 * beside a busy thread. Children make threads that allocate; says "well" if nobody's bytes changed.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 30, THREADS = 3, LIVE = 4000, ROUNDS = 100000, CHILD_SECONDS = 20 };

static void *(*allocate)(size_t bytes);
static void (*release)(void *block);

struct live {
    unsigned char *block;
    size_t bytes;
};

/* A block's bytes tell where it is noted down: few others have the same. */
static void replace(struct live *live, size_t bytes)
{
    unsigned char mark = (unsigned char)((uintptr_t)live / sizeof(*live));
    for (size_t i = 0; i < live->bytes; i += 16) {
        if (live->block[i] != mark) {
            abort();
        }
    }
    release(live->block);
    *live = (struct live){.block = allocate(bytes), .bytes = bytes};
    memset(live->block, mark, bytes);
}

/* rounds: of its own, or without end. */
static void *churn(void *rounds)
{
    struct live *lives = calloc(LIVE, sizeof(*lives));
    uint32_t state = (uint32_t)(uintptr_t)&state;
    for (size_t i = 0; rounds == NULL || i < (uintptr_t)rounds; i++) {
        state = state * 1664525U + 1013904223U;
        replace(&lives[(state >> 8) % LIVE], 1 + (state >> 12) % 3000);
    }
    return NULL;
}

static void be_child(void)
{
    pthread_t threads[THREADS];
    alarm(CHILD_SECONDS);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)ROUNDS);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        return 1;
    }
    *(void **)&allocate = dlsym(library, "pm_malloc");
    *(void **)&release = dlsym(library, "pm_free");
    pthread_t thread;
    pthread_create(&thread, NULL, churn, NULL);
    release(allocate(100));
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child == 0) {
            be_child();
        }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) {
            return 1;
        }
    }
    puts("well");
    return 0;
}
