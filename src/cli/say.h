/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command says: errors in one line, amounts that people read. */
#ifndef POOLMALLOC_CLI_SAY_H
#define POOLMALLOC_CLI_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* As shells and env(1) have them. */
enum exit_status { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* Prints "poolmalloc: ..." and a newline on standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, then ends with this status. */
void die(enum exit_status status, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* Short texts by value, so that several fit into one printf. */
struct shown {
    char text[16];
};
/* "980 B", "1.5 KiB", "12.3 MiB": four characters and a unit. */
struct shown show_bytes(uint64_t bytes);
/* "999", "12.3 k", "4.5 M". */
struct shown show_count(double count);

/* Does a command's only argument ask for its help? */
bool wants_help(int argc, char **argv);

/* Prints a string with & < > " made safe for HTML. */
void put_html(FILE *out, const char *text);
/* Prints a string as a JSON string that is also safe inside a script element. */
void put_json(FILE *out, const char *text);

#endif
