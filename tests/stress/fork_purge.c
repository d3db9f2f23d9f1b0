/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fork by a thread that holds an arena's lock, as a signal handler makes it, while another thread
 * purges that arena: the child's arena is whole, and what the gone thread was about to purge is
 * neither purged nor freed in a wrong place. */
#ifndef TEST_WITHOUT_CUNIT
#define TEST_WITHOUT_CUNIT
#endif
#include "../test.h"
#include "sanitized.h"

#include "config.h"
#include "purge.h"
#include "tcache.h"

#include <pthread.h>

enum {
    CHILDREN = 40,
    CHUNKS = 3,
    RUNS = 24,
    CLASS_64_PAGES = 96,
    CLASS_WALL = CLASS_NORMAL_LAST - 3
};

static struct arena *arena;
static _Atomic bool is_over;

static char *take(unsigned class)
{
    char *block = arena_alloc_normal(arena, class, 0).start;
    CU_ASSERT_FATAL(block != NULL);
    return block;
}

static void give(void *block)
{
    arena_free_normal(arena_normal_page(block));
}

static void *purge_again_and_again(void *unused)
{
    (void)unused;
    while (!is_over) {
        char *runs[RUNS];
        for (unsigned i = 0; i < RUNS; i++) {
            runs[i] = take(CLASS_64_PAGES);
        }
        for (unsigned i = 0; i < RUNS; i += 2) {
            give(runs[i]);
        }
        purge_all();
        for (unsigned i = 1; i < RUNS; i += 2) {
            give(runs[i]);
        }
    }
    return NULL;
}

static bool child_is_whole(void)
{
    mutex_lock(&arena->lock);
    pid_t child = fork();
    mutex_unlock(&arena->lock);
    if (child == 0) {
        bool is_whole = arena_is_valid(arena);
        purge_all();
        _exit(!(is_whole && arena_is_valid(arena)));
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

static bool is_filled(const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] != 'w') {
            return false;
        }
    }
    return true;
}

static void children_of_a_purged_arena(void)
{
    char *walls[CHUNKS];
    pthread_t purger;
    config.arenas = 1;
    arena = arena_join();
    for (unsigned i = 0; i < CHUNKS; i++) {
        walls[i] = take(CLASS_WALL); /* over half a chunk: each in one of its own */
        memset(walls[i], 'w', size_class_bytes(CLASS_WALL));
    }
    CU_ASSERT_FATAL(pthread_create(&purger, NULL, purge_again_and_again, NULL) == 0);
    unsigned whole = 0;
    for (unsigned i = 0; i < CHILDREN; i++) {
        whole += child_is_whole();
    }
    is_over = true;
    pthread_join(purger, NULL);
    CU_ASSERT_EQUAL(whole, CHILDREN);
    for (unsigned i = 0; i < CHUNKS; i++) {
        CU_ASSERT(is_filled(walls[i], size_class_bytes(CLASS_WALL)));
    }
    CU_ASSERT(arena_is_valid(arena));
}

static const struct test tests[] = {
    {"children of a purged arena", children_of_a_purged_arena},
    {NULL, NULL},
};

int main(void)
{
    if (IS_SANITIZED) {
        puts("SKIPPED under this sanitizer");
        return EXIT_SUCCESS;
    }
    return test_main("fork_purge", tests);
}
