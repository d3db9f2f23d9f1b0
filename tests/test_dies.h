/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a function that must end the process with SIGABRT and a certain line on stderr. */
#ifndef POOLMALLOC_TEST_DIES_H
#define POOLMALLOC_TEST_DIES_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool test_dies_with(void (*function)(void), const char *expected)
{
    int ends[2];
    char text[512] = "";
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        function();
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    if (read(ends[0], text, sizeof(text) - 1) < 0) {
        text[0] = '\0';
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!aborted || strncmp(text, expected, strlen(expected)) != 0) {
        printf("  status %d, stderr: %s\n", status, text);
        return false;
    }
    return true;
}

#endif
