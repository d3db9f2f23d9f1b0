/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads in number and at their edges: 100,000 short ones with bounded memory, 5,000 at once at a
 * stated cost, destructors that allocate after ours ran, a consumer that only frees, cancellation,
 * the smallest stacks, pthread_exit from main. */
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SHORT_THREADS = 100000,
    LIVE_THREADS = 5000,
    TEST_SECONDS = 240,
    /* What a thread may cost beyond its stack and libc's own share of it. */
    THREAD_BYTES = 24 << 10,
};

static size_t resident_bytes(void)
{
    char line[128] = "";
    FILE *stream = fopen("/proc/self/statm", "r");
    CHECK(stream != NULL && fgets(line, sizeof(line), stream) != NULL);
    fclose(stream);
    return strtoul(strchr(line, ' '), NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What libc says, but no less than x86-64's: musl says 2 KiB, too little for a signal's frame. */
static size_t smallest_stack(void)
{
    size_t bytes = (size_t)PTHREAD_STACK_MIN;
    return bytes < 16384 ? 16384 : bytes;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, smallest_stack());
    CHECK(pthread_create(thread, &attributes, run, argument) == 0);
    pthread_attr_destroy(&attributes);
}

static void *use_some(void *unused)
{
    void *blocks[40];
    (void)unused;
    for (size_t i = 0; i < 40; i++) {
        blocks[i] = malloc(i * 50);
        memset(blocks[i], 1, i * 50);
    }
    for (size_t i = 0; i < 40; i++) {
        free(blocks[i]);
    }
    return NULL;
}

static void short_threads_leave_nothing(void)
{
    size_t early = 0;
    for (unsigned i = 0; i < SHORT_THREADS; i++) {
        pthread_t thread;
        start(&thread, use_some, NULL);
        pthread_join(thread, NULL);
        if (i == SHORT_THREADS / 20) {
            early = resident_bytes();
        }
    }
    CHECK(resident_bytes() < early + (2 << 20));
}

static pthread_barrier_t all_here;
static pthread_barrier_t all_leave;

static void *use_some_and_stay(void *unused)
{
    use_some(unused);
    pthread_barrier_wait(&all_here);
    pthread_barrier_wait(&all_leave);
    return NULL;
}

static void *only_stay(void *unused)
{
    pthread_barrier_wait(&all_here);
    pthread_barrier_wait(&all_leave);
    return unused;
}

static size_t memory_of_live_threads(void *(*run)(void *))
{
    static pthread_t threads[LIVE_THREADS];
    size_t before = resident_bytes();
    pthread_barrier_init(&all_here, NULL, LIVE_THREADS + 1);
    pthread_barrier_init(&all_leave, NULL, LIVE_THREADS + 1);
    for (unsigned i = 0; i < LIVE_THREADS; i++) {
        start(&threads[i], run, NULL);
    }
    pthread_barrier_wait(&all_here);
    size_t there = resident_bytes();
    pthread_barrier_wait(&all_leave);
    for (unsigned i = 0; i < LIVE_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    return there > before ? there - before : 0;
}

static void live_threads_cost_little(void)
{
    size_t idle_bytes = memory_of_live_threads(only_stay);
    size_t used_bytes = memory_of_live_threads(use_some_and_stay);
    size_t each = used_bytes > idle_bytes ? (used_bytes - idle_bytes) / LIVE_THREADS : 0;
    printf("%d threads at once: %zu bytes each, %zu of them for having allocated\n", LIVE_THREADS,
           used_bytes / LIVE_THREADS, each);
    CHECK(each < THREAD_BYTES);
}

/* ---- Destructors ---------------------------------------------------------------------------- */

enum { KEY_COUNT = 40 };
static pthread_key_t keys[KEY_COUNT];
static _Atomic unsigned destructor_runs;

/* Runs again in later rounds of destruction, after ours: what it frees and allocates then goes by
 * the closed cache. */
static void destroy_value(void *value)
{
    unsigned char rounds_left = *(unsigned char *)value;
    free(value);
    use_some(NULL);
    destructor_runs++;
    if (rounds_left > 0) {
        unsigned char *next = malloc(1);
        *next = (unsigned char)(rounds_left - 1);
        for (unsigned i = 0; i < KEY_COUNT; i++) {
            if (pthread_getspecific(keys[i]) == NULL) {
                pthread_setspecific(keys[i], next);
                return;
            }
        }
    }
}

static void *set_values(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        unsigned char *value = malloc(1);
        *value = i % 2 == 0 ? 2 : 0;
        pthread_setspecific(keys[i], value);
    }
    return NULL;
}

static void destructors_may_allocate(void)
{
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        CHECK(pthread_key_create(&keys[i], destroy_value) == 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        pthread_t thread;
        start(&thread, set_values, NULL);
        pthread_join(thread, NULL);
    }
    CHECK(destructor_runs >= 200 * KEY_COUNT * 3 / 2);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        pthread_key_delete(keys[i]);
    }
}

/* ---- A producer and a consumer that only frees ---------------------------------------------- */

static _Atomic(void *) handed_over;
static _Atomic bool is_over;

static void *only_free(void *unused)
{
    (void)unused;
    while (!is_over) {
        void *block = atomic_exchange(&handed_over, NULL);
        free(block);
        if (block == NULL) {
            sched_yield();
        }
    }
    return NULL;
}

static void consumer_that_only_frees(void)
{
    enum { ROUNDS = 600000 };
    pthread_t consumer;
    size_t early = 0;
    start(&consumer, only_free, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char *block = malloc(i % 3000 + 1);
        block[0] = 1;
        free(atomic_exchange(&handed_over, block));
        if (i == ROUNDS / 4) {
            early = resident_bytes();
        }
    }
    CHECK(resident_bytes() < early + (4 << 20));
    is_over = true;
    pthread_join(consumer, NULL);
    free(handed_over);
}

/* ---- Cancellation and the end of main -------------------------------------------------------- */

static void *allocate_for_ever(void *unused)
{
    (void)unused;
    for (size_t i = 0;; i++) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        void *block = malloc(i % 10000);
        free(block);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        pthread_testcancel();
    }
    return NULL;
}

/* malloc and free are no cancellation points: a cancelled thread never stops inside. */
static void *allocate_until_asked(void *unused)
{
    (void)unused;
    for (size_t i = 0;; i++) {
        free(malloc(i % 60000));
        if (i % 512 == 0) {
            pthread_testcancel();
        }
    }
    return NULL;
}

static void cancelled_threads(void)
{
    for (unsigned i = 0; i < 300; i++) {
        pthread_t thread;
        void *result = NULL;
        start(&thread, i % 2 == 0 ? allocate_for_ever : allocate_until_asked, NULL);
        if (i % 3 == 0) {
            usleep(100);
        }
        pthread_cancel(thread);
        pthread_join(thread, &result);
        CHECK(result == PTHREAD_CANCELED);
    }
    use_some(NULL);
}

static void *exit_process(void *main_thread)
{
    pthread_join(*(pthread_t *)main_thread, NULL);
    use_some(NULL);
    exit(0);
}

static void pthread_exit_from_main(void)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        static pthread_t self;
        pthread_t thread;
        self = pthread_self();
        use_some(NULL);
        start(&thread, exit_process, &self);
        pthread_exit(NULL);
    }
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

int main(void)
{
    alarm(TEST_SECONDS);
    use_some(NULL);
    live_threads_cost_little();
    short_threads_leave_nothing();
    destructors_may_allocate();
    consumer_that_only_frees();
    cancelled_threads();
    pthread_exit_from_main();
    return check_summary();
}
