/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a get and a put cost, beside a malloc and a free, and the 1 KiB experiment.
 *
 *     pool_pair pair METHOD THREADS MILLIONS     METHOD: pool pm_malloc glibc mutex_list fixed
 *     pool_pair kib METHOD THREADS MILLIONS      METHOD: pool buffer pm_malloc pm_calloc glibc
 *
 * `pair` gets an object of 64 bytes, writes its first word and puts it back. `kib` does so with
 * 1 KiB of which each cache line is touched; glibc means calloc and free there, an allocation that
 * is dropped, as a program without pools does it. Output, tab separated:
 *     EXPERIMENT METHOD THREADS  ns per pair (of one thread)  minor faults
 *
 * Linked with poolmalloc; glibc's allocator is called by its other name. */
#include "poolmalloc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void __libc_free(void *block);

enum { OBJECT_BYTES = 64, KIB = 1024, LINE_BYTES = 64, MAX_THREADS = 64, LIST_OBJECTS = 1024 };

struct method {
    const char *name;
    void *(*loop)(void *pool);
};

static long pairs;

/* ---- A pool as it is often written ---------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    void *objects[LIST_OBJECTS];
    int count;
} list = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *list_get(void)
{
    pthread_mutex_lock(&list.lock);
    void *object = list.count > 0 ? list.objects[--list.count] : NULL;
    pthread_mutex_unlock(&list.lock);
    return object != NULL ? object : __libc_malloc(OBJECT_BYTES);
}

static void list_put(void *object)
{
    pthread_mutex_lock(&list.lock);
    bool fits = list.count < LIST_OBJECTS;
    if (fits) {
        list.objects[list.count++] = object;
    }
    pthread_mutex_unlock(&list.lock);
    if (!fits) {
        __libc_free(object);
    }
}

/* ---- Loops, one for each method, so that every call is direct ------------------------------- */

static inline void touch_word(void *object)
{
    *(volatile char *)object = 1;
}

/* Unrolled: the mispredicted end of a loop of 16 turns takes as long as all the rest. */
static inline void touch_lines(void *object)
{
#pragma GCC unroll 16
    for (int line = 0; line < KIB; line += LINE_BYTES) {
        ((volatile char *)object)[line] = 1;
    }
}

#define LOOP(name, get, touch, put)                                                                \
    static void *name(void *pool)                                                                  \
    {                                                                                              \
        for (long i = 0; i < pairs; i++) {                                                         \
            void *object = get;                                                                    \
            touch(object);                                                                         \
            put;                                                                                   \
        }                                                                                          \
        return pool;                                                                               \
    }

LOOP(pair_pool, pm_pool_get(pool), touch_word, pm_pool_put(pool, object))
LOOP(pair_pm_malloc, pm_malloc(OBJECT_BYTES), touch_word, pm_free(object))
LOOP(pair_glibc, __libc_malloc(OBJECT_BYTES), touch_word, __libc_free(object))
LOOP(pair_list, list_get(), touch_word, list_put(object))
LOOP(kib_pool, pm_pool_get(pool), touch_lines, pm_pool_put(pool, object))
LOOP(kib_pm_malloc, pm_malloc(KIB), touch_lines, pm_free(object))
LOOP(kib_pm_calloc, pm_calloc(1, KIB), touch_lines, pm_free(object))
LOOP(kib_glibc, __libc_calloc(1, KIB), touch_lines, __libc_free(object))

static void *kib_buffer(void *pool)
{
    for (long i = 0; i < pairs; i++) {
        size_t bytes;
        pm_buf *buffer = pm_buf_create(KIB, KIB);
        touch_lines(pm_buf_write_span(buffer, &bytes));
        pm_buf_release(buffer);
    }
    return pool;
}

static const struct method pair_methods[] = {
    {"pool", pair_pool},   {"fixed", pair_pool},      {"pm_malloc", pair_pm_malloc},
    {"glibc", pair_glibc}, {"mutex_list", pair_list}, {NULL, NULL},
};

static const struct method kib_methods[] = {
    {"pool", kib_pool},           {"buffer", kib_buffer}, {"pm_malloc", kib_pm_malloc},
    {"pm_calloc", kib_pm_calloc}, {"glibc", kib_glibc},   {NULL, NULL},
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Runs the loop in each of some threads; returns the time until the last has ended. */
static double run(int thread_count, void *(*loop)(void *), pm_pool *pool)
{
    pthread_t threads[MAX_THREADS];
    double start_ns = now_ns();
    for (int i = 0; i < thread_count; i++) {
        if (pthread_create(&threads[i], NULL, loop, pool) != 0) {
            abort();
        }
    }
    for (int i = 0; i < thread_count; i++) {
        pthread_join(threads[i], NULL);
    }
    return now_ns() - start_ns;
}

static const struct method *find(const struct method *methods, const char *name)
{
    while (methods->name != NULL && strcmp(methods->name, name) != 0) {
        methods++;
    }
    return methods->name == NULL ? NULL : methods;
}

static pm_pool *make_pool(const char *method, size_t object_bytes)
{
    pm_pool_options options = {.object_bytes = object_bytes};
    return strcmp(method, "fixed") == 0 ? pm_pool_create_fixed(object_bytes, 64, MAX_THREADS)
                                        : pm_pool_create(&options);
}

int main(int argc, char **argv)
{
    bool kib = argc == 5 && strcmp(argv[1], "kib") == 0;
    const struct method *method =
        argc == 5 ? find(kib ? kib_methods : pair_methods, argv[2]) : NULL;
    int thread_count = argc == 5 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (method == NULL || thread_count < 1 || thread_count > MAX_THREADS) {
        fprintf(stderr, "usage: pool_pair pair|kib METHOD THREADS MILLIONS\n");
        return EXIT_FAILURE;
    }
    pm_pool *pool = make_pool(argv[2], kib ? KIB : OBJECT_BYTES);
    pairs = (long)(strtod(argv[4], NULL) * 1e6);
    double took_ns = run(thread_count, method->loop, pool);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s\t%s\t%d\t%.2f\t%ld\n", argv[1], argv[2], thread_count, took_ns / (double)pairs,
           usage.ru_minflt);
    return EXIT_SUCCESS;
}
