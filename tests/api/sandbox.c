/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sandbox may refuse any system call but the plainest. Each of these is refused in turn, with
 * EPERM and with ENOSYS, then all at once: the program allocates, resizes, frees, starts threads
 * and forks as if nothing was. The filter is set before the first allocation of a child, so that
 * first uses are refused as well. */
#include "check.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALL = -1, CHILD_SECONDS = 30 };

int malloc_trim(size_t pad);

static const struct {
    const char *name;
    int number;
} refused[] = {
    {"madvise", SYS_madvise},
    {"mremap", SYS_mremap},
    {"getrandom", SYS_getrandom},
    {"prctl", SYS_prctl},
    {"membarrier", SYS_membarrier},
    {"mincore", SYS_mincore},
    {"sched_getaffinity", SYS_sched_getaffinity},
    {"openat", SYS_openat},
    {"clock_gettime", SYS_clock_gettime},
    {"gettid", SYS_gettid},
    {"sched_yield", SYS_sched_yield},
};
enum { REFUSED_COUNT = sizeof(refused) / sizeof(refused[0]) };

/* Refuses refused[which], or all of them. */
static bool refuse(int which, int error)
{
    struct sock_filter filter[2 * REFUSED_COUNT + 2];
    unsigned short length = 0;
    filter[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < REFUSED_COUNT; i++) {
        if (which == ALL || which == i) {
            filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                            (unsigned)refused[i].number, 0, 1);
            filter[length++] = (struct sock_filter)BPF_STMT(
                BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
        }
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Blocks of every kind, resized upwards and downwards, contents checked. */
static void *work(void *unused)
{
    static const size_t sizes[] = {10,       1000,     40000,     1000000, 20 << 20,
                                   50 << 20, 18 << 20, 100 << 10, 300};
    (void)unused;
    unsigned char *block = NULL;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned char *resized = realloc(block, sizes[i]);
        if (resized == NULL || (block != NULL && resized[0] != i)) {
            return "realloc";
        }
        block = resized;
        block[0] = (unsigned char)(i + 1);
        block[sizes[i] - 1] = 1;
        free(calloc(1, sizes[i]));
    }
    free(block);
    for (size_t i = 0; i < 20000; i++) {
        block = malloc(i % 5000 + 1);
        if (block == NULL) {
            return "malloc";
        }
        block[0] = 1;
        free(block);
    }
    malloc_trim(0);
    return NULL;
}

static const char *work_and_fork(void)
{
    pthread_t thread;
    void *problem = work(NULL);
    if (problem != NULL) {
        return problem;
    }
    if (pthread_create(&thread, NULL, work, NULL) != 0 || pthread_join(thread, &problem) != 0) {
        return "thread";
    }
    if (problem != NULL) {
        return problem;
    }
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(work(NULL) != NULL);
    }
    waitpid(child, &status, 0);
    return status == 0 ? NULL : "child";
}

static void check_refusing(int which, int error)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        const char *problem = refuse(which, error) ? work_and_fork() : "seccomp";
        if (problem != NULL) {
            printf("%s refused with %s: %s\n", which == ALL ? "all" : refused[which].name,
                   strerror(error), problem);
            fflush(stdout);
        }
        _exit(problem != NULL);
    }
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

int main(void)
{
    for (int which = ALL; which < REFUSED_COUNT; which++) {
        check_refusing(which, EPERM);
        check_refusing(which, ENOSYS);
    }
    return check_summary();
}
