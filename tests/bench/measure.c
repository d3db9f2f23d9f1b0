/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a whole program cost under an allocator?
 * Starts COMMAND STARTS times, one after another, with LIBRARY preloaded (none if empty) and its
 * output thrown away. Operation: one start, from fork to exit. The peak is the largest ru_maxrss.
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

/* Runs the command once; its peak in KiB, or -1 if it failed. */
static long run(const char *library, char **command)
{
    struct rusage usage_of_child;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        become(library, command);
    if (pid < 0 || wait4(pid, &status, 0, &usage_of_child) < 0)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? usage_of_child.ru_maxrss : -1;
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *library = argument(argv, 1, usage);
    uint64_t starts = argument_number(argv, 2, usage);
    argument(argv, 3, usage);
    long peak_kib = 0;
    uint64_t start_ns = clock_ns();
    for (uint64_t i = 0; i < starts; i++) {
        long kib = run(library, argv + 3);
        if (kib < 0)
            return 1;
        peak_kib = kib > peak_kib ? kib : peak_kib;
    }
    uint64_t ns = clock_ns() - start_ns;
    printf("time\t%s\t%llu\t%.3f\t%ld\n", argv[3], (unsigned long long)starts,
           (double)ns / (double)starts, peak_kib * 1024);
    return 0;
}
