/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a library (argument 1) at run time beside libc's malloc, uses its allocator in threads that
 * end before and after the library is closed, mixes nothing up, and closes it, several times.
 * With a function's name as argument 2 the library is a plug-in that is linked to poolmalloc. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *allocate_function(size_t bytes);
typedef void *resize_function(void *block, size_t bytes);
typedef void free_function(void *block);

static allocate_function *pool_malloc;
static resize_function *pool_realloc;
static free_function *pool_free;
static pthread_barrier_t barrier;

static void *find(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return address;
}

/* Blocks of both allocators side by side: a realloc or free that went to the other one would end
 * the process. */
static void *use_both(void *unused)
{
    for (size_t i = 1; i < 3000; i++) {
        char *ours = pool_malloc(i % 400 * i % 3000);
        char *theirs = malloc(i);
        ours = pool_realloc(ours, 100 + i * 20);
        theirs = realloc(theirs, 100 + i * 20);
        memset(ours, 1, 100 + i * 20);
        memset(theirs, 2, 100 + i * 20);
        pool_free(ours);
        free(theirs);
    }
    return unused;
}

static void *use_and_outlive(void *unused)
{
    use_both(unused);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void open_use_close(const char *path, const char *plug_in_function)
{
    pthread_t short_lived;
    pthread_t outliving;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    if (plug_in_function != NULL) {
        ((void (*)(void))(uintptr_t)find(library, plug_in_function))();
        dlclose(library);
        return;
    }
    pool_malloc = (allocate_function *)(uintptr_t)find(library, "malloc");
    pool_realloc = (resize_function *)(uintptr_t)find(library, "realloc");
    pool_free = (free_function *)(uintptr_t)find(library, "free");
    if (pool_malloc == malloc) {
        fprintf(stderr, "the library's malloc is libc's\n");
        exit(1);
    }
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&short_lived, NULL, use_both, NULL);
    pthread_create(&outliving, NULL, use_and_outlive, NULL);
    use_both(NULL);
    pthread_join(short_lived, NULL);
    pthread_barrier_wait(&barrier);
    dlclose(library);
    pthread_barrier_wait(&barrier);
    pthread_join(outliving, NULL);
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 10 && argc > 1; i++) {
        open_use_close(argv[1], argc > 2 ? argv[2] : NULL);
    }
    puts("closed");
    return 0;
}
