/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fork through libc, with libc's own locks in play: streams, spawned programs, daemons, and fork
 * handlers of others that allocate before ours ran. Each deadlock ends by an alarm. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_SECONDS = 20, TEST_SECONDS = 200 };

extern char **environ;

/* The size is not known to the compiler, so that no allocation is left out. */
static volatile size_t some_bytes = 100;

static bool can_allocate(void)
{
    for (size_t i = 0; i < 200; i++) {
        char *block = malloc(some_bytes * i);
        if (block == NULL) {
            return false;
        }
        memset(block, 1, some_bytes * i);
        free(block);
    }
    return true;
}

static bool ended_well(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0;
}

/* ---- Handlers that allocate, registered before ours and after ------------------------------- */

static unsigned handler_runs;
static unsigned registered; /* twice, but once where libc knows no preinit_array */

static void allocate_in_handler(void)
{
    handler_runs += can_allocate();
}

/* ---- A handler that starts a thread, as programs do that have one beside them ---------------- */

enum { WORKER_BYTES = 30000 }; /* of a class that nobody else here uses */
enum worker_stage { STAGE_NONE, STAGE_FREED, STAGE_GO };

static bool restarts_worker;
static pthread_t worker;
static void *worker_block; /* freed: the newest in the worker's cache */
static _Atomic enum worker_stage worker_stage;

/* Returns what it got after the fork. */
static void *work(void *unused)
{
    (void)unused;
    worker_block = malloc(WORKER_BYTES);
    free(worker_block);
    worker_stage = STAGE_FREED;
    while (worker_stage != STAGE_GO) {
    }
    return malloc(WORKER_BYTES);
}

static void await_worker(void)
{
    while (worker_stage != STAGE_FREED) {
    }
}

static void restart_worker(void)
{
    if (restarts_worker && pthread_create(&worker, NULL, work, NULL) == 0) {
        await_worker();
        restarts_worker = false;
    }
}

static void register_handlers(void)
{
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
    pthread_atfork(NULL, NULL, restart_worker);
    registered++;
}

/* Runs before every constructor of every library: first registered, first run in the child. */
__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = register_handlers;
__attribute__((constructor)) static void register_late(void)
{
    register_handlers();
}

/* ---- Threads that keep the allocator and the streams busy ----------------------------------- */

static _Atomic bool is_over;
static int line_pipe[2];

static void *churn(void *unused)
{
    void *live[64] = {0};
    (void)unused;
    for (unsigned i = 0; !is_over; i++) {
        free(live[i % 64]);
        live[i % 64] = malloc(i * 37 % 5000 * (i % 50 == 0 ? 30 : 1));
    }
    for (unsigned i = 0; i < 64; i++) {
        free(live[i]);
    }
    return NULL;
}

/* Waits in malloc with the stream locked: every line is longer than the one before it. */
static void *read_lines(void *unused)
{
    FILE *lines = fdopen(line_pipe[0], "r");
    (void)unused;
    for (;;) {
        char *line = NULL;
        size_t capacity = 0;
        ssize_t length = getline(&line, &capacity, lines);
        free(line);
        if (length <= 0) {
            break;
        }
    }
    fclose(lines);
    return NULL;
}

static void *write_lines(void *unused)
{
    static char line[3000];
    (void)unused;
    memset(line, 'x', sizeof(line));
    for (size_t i = 0; !is_over; i++) {
        size_t length = i * 131 % (sizeof(line) - 1) + 1;
        line[length - 1] = '\n';
        if (write(line_pipe[1], line, length) < 0) {
            break;
        }
        line[length - 1] = 'x';
    }
    close(line_pipe[1]);
    return NULL;
}

/* Takes the list of streams, then waits for each stream. */
static void *flush_all(void *unused)
{
    (void)unused;
    while (!is_over) {
        fflush(NULL);
    }
    return NULL;
}

/* Changes the list of streams, which fork waits for. */
static void *open_and_close(void *unused)
{
    (void)unused;
    while (!is_over) {
        FILE *stream = fopen("/dev/null", "w");
        if (stream != NULL) {
            fclose(stream);
        }
    }
    return NULL;
}

static void *(*const busy[])(void *) = {churn,       churn,     read_lines,
                                        write_lines, flush_all, open_and_close};
enum { BUSY_COUNT = sizeof(busy) / sizeof(busy[0]) };

static void check_children(unsigned count)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(CHILD_SECONDS);
            FILE *stream = fopen("/dev/null", "w");
            bool is_well = can_allocate() && stream != NULL && fclose(stream) == 0;
            _exit(!is_well);
        }
        failed += child < 0 || !ended_well(child);
    }
    CHECK(failed == 0);
}

static void check_busy_forks(void)
{
    pthread_t threads[BUSY_COUNT];
    CHECK(pipe(line_pipe) == 0);
    for (unsigned i = 0; i < BUSY_COUNT; i++) {
        CHECK(pthread_create(&threads[i], NULL, busy[i], NULL) == 0);
    }
    handler_runs = 0;
    check_children(200);
    CHECK(handler_runs == 200 * 2 * registered); /* prepare and parent */
    is_over = true;
    for (unsigned i = 0; i < BUSY_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    is_over = false;
}

/* ---- Other ways to start a process ---------------------------------------------------------- */

static void check_spawn(void)
{
    char *const arguments[] = {"sh", "-c", "exit 0", NULL};
    pid_t child = 0;
    CHECK(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
    CHECK(ended_well(child));
}

static void check_popen(void)
{
    char answer[16] = "";
    FILE *stream = popen("echo 42", "r");
    CHECK(stream != NULL && fgets(answer, sizeof(answer), stream) != NULL);
    CHECK(stream != NULL && pclose(stream) == 0 && strcmp(answer, "42\n") == 0);
    CHECK(system("exit 0") == 0);
}

/* The child shares the parent's memory and must leave its locks and caches alone. */
static void check_vfork(void)
{
    void *volatile before = malloc(some_bytes);
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
        _exit(1);
    }
    CHECK(ended_well(child));
    free(before);
    CHECK(can_allocate());
}

static void check_daemon(void)
{
    int answers[2];
    char answer = 0;
    CHECK(pipe(answers) == 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        if (daemon(0, 0) == 0 && can_allocate()) {
            answer = 'y';
        }
        _exit(write(answers[1], &answer, 1) != 1);
    }
    CHECK(ended_well(child));
    close(answers[1]);
    CHECK(read(answers[0], &answer, 1) == 1 && answer == 'y');
    close(answers[0]);
}

static void check_other_ways(void)
{
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        check_spawn();
        check_popen();
        check_vfork();
        check_daemon();
    }
    is_over = true;
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- A thread that a handler started before ours ran is not one that is gone ----------------- */

/* libc makes a thread when the timer expires. */
static bool start_timer_thread(void (*run)(union sigval))
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = run};
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
           timer_settime(timer, 0, &soon, NULL) == 0;
}

static void *take_block(void *unused)
{
    (void)unused;
    return malloc(WORKER_BYTES);
}

/* Had the worker's cache been taken for that of a thread that is gone, its block would go to the
 * next thread. */
static int worker_keeps_its_cache(void)
{
    pthread_t thread;
    void *taken = NULL;
    void *kept = NULL;
    alarm(CHILD_SECONDS);
    pthread_create(&thread, NULL, take_block, NULL);
    pthread_join(thread, &taken);
    worker_stage = STAGE_GO;
    pthread_join(worker, &kept);
    return taken != worker_block && kept == worker_block;
}

/* The same, of a thread that libc makes for a timer and no wrapper sees: such a handler is right
 * because ours was registered before main. */
static void *_Atomic timer_block; /* what the timer's thread got after the fork */

static void work_at_expiry(union sigval unused)
{
    (void)unused;
    timer_block = work(NULL);
}

static void start_timer(void)
{
    if (start_timer_thread(work_at_expiry)) {
        await_worker();
    }
}

static int timer_keeps_its_cache(void)
{
    pthread_t thread;
    void *taken = NULL;
    alarm(CHILD_SECONDS);
    pthread_create(&thread, NULL, take_block, NULL);
    pthread_join(thread, &taken);
    worker_stage = STAGE_GO;
    while (timer_block == NULL) {
    }
    return taken != worker_block && timer_block == worker_block;
}

/* Returns what main returns: in a process that has not forked yet. */
static int fork_with_timer_in_handler(void)
{
    pthread_atfork(NULL, NULL, start_timer);
    free(malloc(some_bytes));
    pid_t child = fork();
    if (child == 0) {
        _exit(!timer_keeps_its_cache());
    }
    return !ended_well(child);
}

static void check_restarted_worker(void)
{
    restarts_worker = true;
    pid_t child = fork();
    if (child == 0) {
        _exit(!worker_keeps_its_cache());
    }
    restarts_worker = false;
    CHECK(ended_well(child));
}

/* ---- Threads of other makes, in a child and in its children --------------------------------- */

static int churn_c11(void *unused)
{
    churn(unused);
    return 0;
}

static bool make_c11_thread(void)
{
    thrd_t thread;
    return thrd_create(&thread, churn_c11, NULL) == thrd_success;
}

static void churn_at_expiry(union sigval unused)
{
    (void)unused;
    churn(NULL);
}

static bool make_timer_thread(void)
{
    return start_timer_thread(churn_at_expiry);
}

static unsigned fork_beside_threads(bool (*make_thread)(void))
{
    enum { FORKS = 200, THREADS = 3 };
    unsigned failed = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        failed += !make_thread();
    }
    for (unsigned i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(CHILD_SECONDS);
            _exit(!can_allocate());
        }
        failed += child < 0 || !ended_well(child);
    }
    return failed;
}

static void check_other_threads(bool (*make_thread)(void))
{
    pid_t child = fork();
    if (child == 0) {
        _exit(fork_beside_threads(make_thread) != 0);
    }
    CHECK(ended_well(child));
}

/* The first fork of a process: libc's own, within daemon or forkpty, or after a handler was
 * registered. Each is checked in a new process, which learns from its first argument which. */
enum { DAEMON_ANSWER = 3 }; /* the descriptor of a pipe: a daemon has no parent to wait for it */

static int first_fork_by(const char *name)
{
    if (strcmp(name, "daemon") == 0) {
        char answer = daemon(1, 1) == 0 && fork_beside_threads(make_timer_thread) == 0 ? 'y' : 'n';
        return write(DAEMON_ANSWER, &answer, 1) != 1;
    }
    if (strcmp(name, "fork") == 0) {
        return fork_with_timer_in_handler();
    }
    int terminal = -1;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0) {
        _exit(fork_beside_threads(make_timer_thread) != 0);
    }
    return !ended_well(child);
}

static void check_first_fork(const char *name)
{
    char *const arguments[] = {"fork_libc", (char *)(uintptr_t)name, NULL};
    int answers[2];
    char answer = 0;
    pid_t child = 0;
    CHECK(pipe(answers) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, answers[1], DAEMON_ANSWER);
    CHECK(posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(answers[1]);
    CHECK(ended_well(child));
    CHECK(strcmp(name, "daemon") != 0 || (read(answers[0], &answer, 1) == 1 && answer == 'y'));
    close(answers[0]);
}

int main(int argc, char **argv)
{
    alarm(TEST_SECONDS);
    if (argc > 1) {
        return first_fork_by(argv[1]);
    }
    check_first_fork("daemon");
    check_first_fork("forkpty");
    check_first_fork("fork");
    CHECK(can_allocate());
    check_other_threads(make_c11_thread);
    check_other_threads(make_timer_thread);
    check_restarted_worker();
    check_busy_forks();
    check_other_ways();
    return check_summary();
}
