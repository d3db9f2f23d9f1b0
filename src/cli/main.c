/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command `poolmalloc`: runs programs on the library and looks into those that run on it. An
 * ordinary program: it uses libc freely and is not linked with the library. */
#include "commands.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *what;
};

static const struct command commands[] = {
    {"run", command_run, "[OPTION]... -- PROGRAM", "start a program on the pool"},
    {"compare", command_compare, "[OPTION]... -- PROGRAM", "time and memory beside other mallocs"},
    {"stats", command_stats, "PID", "where the memory of a running process is"},
    {"top", command_top, "PID", "the same, live"},
    {"map", command_map, "PID [FILE]", "its heap as a picture, an HTML page"},
    {"doctor", command_doctor, "PID", "what its memory is used for, and what to change"},
    {"trim", command_trim, "PID", "ask it to give back what it does not use"},
};

/* What a command printed may still fail to be written: a full disk. */
static void close_output(void)
{
    if (ferror(stdout) != 0 || fflush(stdout) != 0) {
        die(EXIT_FAILED, "standard output: %s", strerror(errno));
    }
}

static void print_help(FILE *out)
{
    fputs("usage: poolmalloc COMMAND [ARGUMENT]...\n\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        fprintf(out, "  %-7s %-22s  %s\n", commands[i].name, commands[i].arguments,
                commands[i].what);
    }
    fputs("\n'poolmalloc COMMAND --help' says more, poolmalloc(1) says it all.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (wants_help(argc, argv) || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        close_output();
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            int status = commands[i].run(argc - 1, argv + 1);
            close_output();
            return status;
        }
    }
    die(EXIT_USAGE, "no command \"%s\", try 'poolmalloc --help'", argv[1]);
}
