/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a whole program cost under an allocator?
 * Starts COMMAND STARTS times, one after another, with LIBRARY preloaded (none if empty) and its
 * output thrown away. Operation: one start, in CPU time of the program and its children, from fork
 * to exit. The peak is the largest ru_maxrss of any of these.
 *
 * A child inherits its parent's resident peak across exec, so this program is linked statically and
 * stays smaller than anything it measures.
 */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] = "usage: measure LIBRARY STARTS COMMAND [ARGUMENT...]";

static _Noreturn void become(const char *library, char **command)
{
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    if (*library)
        setenv("LD_PRELOAD", library, 1);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

static bool run(const char *library, char **command)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        become(library, command);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *library = argument(argv, 1, usage);
    uint64_t starts = argument_number(argv, 2, usage);
    argument(argv, 3, usage);
    for (uint64_t i = 0; i < starts; i++)
        if (!run(library, argv + 3))
            return 1;
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    uint64_t ns = timeval_ns(children.ru_utime) + timeval_ns(children.ru_stime);
    printf("time\t%s\t%llu\t%.3f\t%ld\n", argv[3], (unsigned long long)starts,
           (double)ns / (double)starts, children.ru_maxrss * 1024);
    return 0;
}
