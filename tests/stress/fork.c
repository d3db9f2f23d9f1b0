/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fork while other threads allocate and free. In the child everything still works: it allocates,
 * frees what was live in the parent, starts threads and forks again, and every structure that is
 * not retired passes its validator.
 *
 *   fork [COUNT]   how many children (default 300; .ci/run asks for 10,000) */
#ifndef TEST_WITHOUT_CUNIT
#define TEST_WITHOUT_CUNIT
#endif
#include "../test.h"
#include "sanitized.h"

#include "bin.h"
#include "depot.h"
#include "huge.h"
#include "poolmalloc.h"
#include "tcache.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { CHURNER_COUNT = 3, LIVE_COUNT = 64, CHILD_SECONDS = 60 };

static unsigned child_count = 300;
static _Atomic bool is_over;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* Mostly small, some runs of pages, now and then huge: every lock is held at some instant. */
static size_t next_bytes(uint32_t *state)
{
    uint32_t random = next_random(state);
    switch (random % 64) {
    case 0:
        return (17U << 20) + random % (1U << 20);
    case 1:
    case 2:
    case 3:
        return 40000 + random % 400000;
    default:
        return random % 3000;
    }
}

static void *churn(void *unused)
{
    uint32_t state = (uint32_t)(uintptr_t)&state;
    void *live[LIVE_COUNT] = {0};
    (void)unused;
    while (!is_over) {
        uint32_t index = next_random(&state) % LIVE_COUNT;
        pm_free(live[index]);
        live[index] = pm_malloc(next_bytes(&state));
    }
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        pm_free(live[i]);
    }
    return NULL;
}

static void *allocate_once(void *unused)
{
    (void)unused;
    return pm_malloc(100);
}

/* Threads that come and go take the locks of opening and closing a cache. */
static void *come_and_go(void *unused)
{
    (void)unused;
    while (!is_over) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, allocate_once, NULL) == 0) {
            void *block;
            pthread_join(thread, &block);
            pm_free(block);
        }
    }
    return NULL;
}

static void fill(unsigned char *block, size_t bytes)
{
    memset(block, (int)(bytes & 0xff), bytes);
}

static bool is_filled(const unsigned char *block, size_t bytes)
{
    return bytes == 0 || (block[0] == (bytes & 0xff) && block[bytes - 1] == (bytes & 0xff));
}

/* Allocates and frees with contents checked: two owners of one slot would see each other. */
static void *work(void *unused)
{
    enum { ROUNDS = 300 };
    unsigned char *live[LIVE_COUNT] = {0};
    size_t bytes[LIVE_COUNT] = {0};
    uint32_t state = (uint32_t)(uintptr_t)&state;
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned index = i % LIVE_COUNT;
        if (!is_filled(live[index], bytes[index])) {
            return (void *)"a block was written by somebody else";
        }
        pm_free(live[index]);
        bytes[index] = next_random(&state) % (i % 20 == 0 ? 100000 : 2000);
        live[index] = pm_malloc(bytes[index]);
        if (live[index] == NULL) {
            return (void *)"out of memory";
        }
        fill(live[index], bytes[index]);
    }
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        if (!is_filled(live[i], bytes[i])) {
            return (void *)"a block was written by somebody else";
        }
        pm_free(live[i]);
    }
    return NULL;
}

/* A count below zero would read as the busiest arena of all, which no thread joins. */
static bool arenas_count_their_threads(void)
{
    uint64_t joined = 0;
    uint64_t open = 0;
    for (unsigned i = 0; i < arena_count(); i++) {
        joined += arena_at(i)->thread_count;
    }
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        open += tcache->state == TCACHE_OPEN;
    }
    return joined >= open && joined < INT32_MAX;
}

static const char *find_damage(void)
{
    if (!arenas_count_their_threads()) {
        return "an arena counts too few threads";
    }
    for (unsigned i = 0; i < arena_count(); i++) {
        if (!arena_is_valid(arena_at(i))) {
            return "an arena is damaged";
        }
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            if (!bin_is_valid(arena_at(i), class)) {
                return "a bin is damaged";
            }
        }
    }
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        if (!tcache_is_valid(tcache)) {
            return "a thread cache is damaged";
        }
    }
    return NULL;
}

static const char *work_in_threads(void)
{
    pthread_t threads[2];
    void *problem = NULL;
    for (unsigned i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) {
            return "no thread";
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        problem = problem != NULL ? problem : answer;
    }
    return problem;
}

/* Frees what the parent's thread owned, works, and every tenth child starts threads. */
static const char *child_work(unsigned number, void *const *inherited)
{
    const char *problem = number % 10 == 0 ? work_in_threads() : NULL;
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        pm_free(inherited[i]);
    }
    problem = problem != NULL ? problem : work(NULL);
    tcache_flush();
    mutex_check_fork(); /* as the next tick would: the bare call ran no handler */
    return problem != NULL ? problem : find_damage();
}

static bool ended_well(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        printf("  child: %s\n", strsignal(WTERMSIG(status)));
    }
    return status == 0;
}

NORETURN static void end_child(const char *problem)
{
    if (problem != NULL) {
        printf("  child: %s\n", problem);
        fflush(stdout);
    }
    _exit(problem != NULL);
}

/* How a child is made: libc's fork with its handlers, or the bare system call without. */
static pid_t fork_bare(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void make_children(pid_t (*make_child)(void), unsigned count)
{
    void *inherited[LIVE_COUNT];
    uint32_t state = 1;
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        inherited[i] = pm_malloc(next_bytes(&state));
    }
    for (unsigned number = 0; number < count; number++) {
        pid_t child = make_child();
        CU_ASSERT_FATAL(child >= 0);
        if (child == 0) {
            alarm(CHILD_SECONDS);
            /* libc's own thread list is not mended after the bare call: no threads there. */
            end_child(child_work(make_child == fork ? number : 1, inherited));
        }
        CU_ASSERT_FATAL(ended_well(child));
        uint32_t index = number % LIVE_COUNT;
        pm_free(inherited[index]);
        inherited[index] = pm_malloc(next_bytes(&state));
    }
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        pm_free(inherited[i]);
    }
}

static pthread_t churners[CHURNER_COUNT + 1];

static void start_churners(void)
{
    is_over = false;
    for (unsigned i = 0; i < CHURNER_COUNT; i++) {
        CU_ASSERT_FATAL(pthread_create(&churners[i], NULL, churn, NULL) == 0);
    }
    CU_ASSERT_FATAL(pthread_create(&churners[CHURNER_COUNT], NULL, come_and_go, NULL) == 0);
}

static void end_churners(void)
{
    is_over = true;
    for (unsigned i = 0; i <= CHURNER_COUNT; i++) {
        pthread_join(churners[i], NULL);
    }
    CU_ASSERT(find_damage() == NULL);
}

static void children_of_a_busy_process(void)
{
    start_churners();
    make_children(fork, child_count);
    end_churners();
}

static void children_without_handlers(void)
{
    start_churners();
    make_children(fork_bare, child_count);
    end_churners();
}

/* Each generation runs threads of its own while it forks the next, and waits for it. */
static void generations(void)
{
    enum { MOST = 300 };
    unsigned most = child_count / 3 < MOST ? child_count / 3 : MOST;
    unsigned depth = 0;
    pid_t child;
    do {
        start_churners();
        child = fork();
        if (child != 0) {
            end_churners();
            break;
        }
        const char *problem = work(NULL);
        problem = problem != NULL ? problem : find_damage();
        if (problem != NULL) {
            end_child(problem);
        }
    } while (++depth < most);
    CU_ASSERT(depth == most || (child > 0 && ended_well(child)));
    if (depth > 0) {
        _exit(cunit_failed_count != 0);
    }
}

/* ---- Fork from a signal handler that interrupted malloc ----------------------------------- */

static volatile sig_atomic_t forks_done;
static volatile sig_atomic_t forks_failed;

static void signal_soon(void)
{
    struct itimerval once = {.it_value = {0, 300}};
    setitimer(ITIMER_REAL, &once, NULL);
}

/* The child returns from the handler into the allocator, finishes the call and goes on. */
static void fork_in_handler(int signal_number)
{
    (void)signal_number;
    pid_t child = fork();
    if (child == 0) {
        forks_done = -1;
        return;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    forks_failed += status != 0;
    forks_done++;
    signal_soon();
}

static void forked_in_a_signal_handler(void)
{
    const int wanted = (int)(child_count / 4);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    signal(SIGALRM, fork_in_handler);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* the churners inherit it */
    start_churners();
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    uint32_t state = 7;
    void *live[LIVE_COUNT] = {0};
    signal_soon();
    while (forks_done >= 0 && forks_done < wanted) {
        uint32_t index = next_random(&state) % LIVE_COUNT;
        pm_free(live[index]);
        live[index] = pm_malloc(next_bytes(&state));
    }
    if (forks_done < 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(CHILD_SECONDS);
        end_child(child_work(1, live));
    }
    signal(SIGALRM, SIG_IGN);
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        pm_free(live[i]);
    }
    end_churners();
    CU_ASSERT_EQUAL(forks_failed, 0);
}

/* ---- What a gone thread held ---------------------------------------------------------------- */

static void *hold_slots(void *barrier)
{
    void *blocks[100];
    for (unsigned i = 0; i < 100; i++) {
        blocks[i] = pm_malloc(48);
    }
    for (unsigned i = 0; i < 100; i++) {
        pm_free(blocks[i]);
    }
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return NULL;
}

/* Slots in caches of threads that are gone come back to the child: the same ones for ever. */
static void caches_of_gone_threads_are_taken_back(void)
{
    pthread_barrier_t barrier;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, hold_slots, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    if (child == 0) {
        unsigned open_count = 0;
        size_t cached_slots = 0;
        for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
            open_count += tcache->state == TCACHE_OPEN;
            cached_slots += tcache == tcache_current() ? 0 : tcache_cached_slots(tcache, 3);
        }
        end_child(open_count > 1 || cached_slots != 0 ? "a gone thread's cache is open" : NULL);
    }
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    CU_ASSERT(ended_well(child));
}

static const struct test tests[] = {
    {"children of a busy process", children_of_a_busy_process},
    {"children made by the bare system call", children_without_handlers},
    {"generations", generations},
    {"forked in a signal handler", forked_in_a_signal_handler},
    {"caches of gone threads are taken back", caches_of_gone_threads_are_taken_back},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (IS_SANITIZED) {
        puts("SKIPPED under this sanitizer");
        return EXIT_SUCCESS;
    }
    child_count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : child_count;
    return test_main("fork", tests);
}
