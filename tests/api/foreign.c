/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers that are not ours, of any 64-bit value: free, realloc and malloc_usable_size end in a
 * defined way and read no memory that is not ours. With foreign:ignore one line, then on; by
 * default one line and SIGABRT. The program runs itself again with either option. */
#include "check.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Freeing what was never allocated is what this is about. */
#ifdef __clang__
#pragma clang optimize off
#else
#pragma GCC diagnostic ignored "-Wfree-nonheap-object"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

enum { RANDOM_VALUES = 200000 };

static int global;

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state ^ *state >> 29;
}

/* In 16 MiB around a block of ours a value is interior, not foreign: those end the process. */
static bool is_near_ours(uint64_t value, const void *ours)
{
    uint64_t distance = value - (uint64_t)(uintptr_t)ours;
    return distance + (UINT64_C(1) << 36) < UINT64_C(1) << 37;
}

static void try_all_calls(uint64_t value)
{
    void *volatile foreign = (void *)(uintptr_t)value;
    errno = 0;
    free(foreign);
    CHECK(errno == 0);
    CHECK(realloc(foreign, 100) == NULL);
    CHECK(malloc_usable_size(foreign) == 0);
}

static void foreign_values_are_ignored(void)
{
    char on_stack[64];
    void *ours = malloc(100);
    char *no_access = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *unmapped = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(unmapped, 65536);
    const uint64_t chosen[] = {1,
                               8,
                               4096,
                               (uintptr_t)on_stack,
                               (uintptr_t)on_stack + 1,
                               (uintptr_t)&global,
                               (uintptr_t)foreign_values_are_ignored,
                               (uintptr_t)no_access,
                               (uintptr_t)unmapped,
                               (UINT64_C(1) << 47) - 1,
                               UINT64_C(1) << 47,
                               (UINT64_C(1) << 48) - 16,
                               UINT64_C(1) << 48,
                               UINT64_C(1) << 52,
                               UINT64_C(1) << 56,
                               UINT64_C(1) << 57,
                               UINT64_C(1) << 63,
                               UINT64_C(0xffff800000000000),
                               UINT64_C(0xffffffffff600000),
                               UINT64_MAX - 15,
                               UINT64_MAX};
    for (unsigned i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
        try_all_calls(chosen[i]);
    }
    uint64_t state = 1;
    for (unsigned i = 0; i < RANDOM_VALUES; i++) {
        uint64_t value = next_random(&state) >> next_random(&state) % 64;
        if (value != 0 && !is_near_ours(value, ours)) {
            try_all_calls(value);
        }
    }
    free(ours);
}

/* Runs this program again; returns its status and what it wrote to standard error. */
static int run_again(const char *options, const char *what, char *said, size_t capacity)
{
    int errors[2];
    int status = -1;
    size_t length = 0;
    ssize_t got;
    CHECK(pipe(errors) == 0);
    pid_t child = fork();
    if (child == 0) {
        setenv("POOLMALLOC_CONF", options, 1);
        dup2(errors[1], STDERR_FILENO);
        execl("/proc/self/exe", "foreign", what, (char *)NULL);
        _exit(126);
    }
    close(errors[1]);
    while ((got = read(errors[0], said + length, capacity - 1 - length)) > 0) {
        length += (size_t)got;
    }
    said[length] = '\0';
    close(errors[0]);
    waitpid(child, &status, 0);
    return status;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static int check_from_outside(void)
{
    static const char *const calls[] = {"free", "realloc", "usable"};
    char said[4096];
    CHECK(run_again("foreign:ignore", "ignore", said, sizeof(said)) == 0);
    CHECK(count_lines(said) == 1 && strstr(said, "poolmalloc: warning: ") == said);
    for (unsigned i = 0; i < 3; i++) {
        int status = run_again("", calls[i], said, sizeof(said));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        CHECK(count_lines(said) == 1 && strstr(said, "poolmalloc: fatal: ") == said);
    }
    return check_summary();
}

int main(int argc, char **argv)
{
    void *volatile foreign = &global;
    if (argc < 2) {
        return check_from_outside();
    }
    if (strcmp(argv[1], "ignore") == 0) {
        foreign_values_are_ignored();
    } else if (strcmp(argv[1], "free") == 0) {
        free(foreign);
    } else if (strcmp(argv[1], "realloc") == 0) {
        return realloc(foreign, 10) != NULL;
    } else {
        return (int)malloc_usable_size(foreign);
    }
    return check_failed_count != 0;
}
