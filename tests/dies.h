/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of what ends the process: runs a function in a child and compares its last words. */
#ifndef POOLMALLOC_TEST_DIES_H
#define POOLMALLOC_TEST_DIES_H

#include "test.h"

/* What the child wrote to stderr, NUL-terminated. Returns its wait status. */
static inline int run_in_child(void (*run)(void), char *text, size_t capacity)
{
    int ends[2];
    int status = 0;
    size_t length = 0;
    ssize_t got;
    if (pipe(ends) != 0) {
        return 0;
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    while (length + 1 < capacity &&
           (got = read(ends[0], text + length, capacity - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    char *emulators_words = strstr(text, "qemu: uncaught");
    if (emulators_words != NULL) {
        *emulators_words = '\0';
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

/* Does it abort with one line that begins and ends so? Between them is an address. */
static inline bool dies_saying(void (*run)(void), const char *begin, const char *end)
{
    char text[512];
    int status = run_in_child(run, text, sizeof(text));
    size_t length = strlen(text);
    bool says_it = length >= strlen(begin) + strlen(end) + 1 && text[length - 1] == '\n' &&
                   strncmp(text, begin, strlen(begin)) == 0 &&
                   strncmp(text + length - 1 - strlen(end), end, strlen(end)) == 0 &&
                   strchr(text, '\n') == text + length - 1;
    if (!says_it || !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        printf("  expected \"%s...%s\", got status %d and \"%s\"\n", begin, end, status, text);
        return false;
    }
    return true;
}

#endif
