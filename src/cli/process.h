/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running process that is looked into from outside, without stopping it: its mappings, where the
 * library put the descriptor of its structures, and its memory.
 *
 * The descriptor is the exported symbol `poolmalloc_layout`. In a shared library it is looked up
 * in the process's own memory, so that a library that was replaced or lies in a container's file
 * system is found, too; in a program linked with libpoolmalloc.a, in the program's file. */
#ifndef POOLMALLOC_CLI_PROCESS_H
#define POOLMALLOC_CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    char name[32];             /* as ps shows it */
    uint64_t layout_address;   /* of poolmalloc_layout */
    unsigned long long before; /* start time, to know another process with the same id */
};

/* A line of /proc/PID/maps: "start-end rwxp offset device inode   name". */
struct maps_line {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    bool is_readable;
    bool is_private;
    const char *name; /* in the line, up to its end; "": anonymous */
};
/* false: it is none. */
bool maps_line_parse(struct maps_line *parsed, const char *line);

/* Opens the process a user names. Ends the command with one line where there is none, it is not
 * ours to read, or it does not run on the library. command: for that line. */
void process_open(struct process *process, const char *command, const char *pid_text);

/* Is it still there, and still the same? */
bool process_is_alive(const struct process *process);

/* Copies memory of the process. false: not all of it is mapped, or the process is gone. */
bool process_read(const struct process *process, uint64_t from, void *to, size_t bytes);
bool process_write(const struct process *process, uint64_t to, const void *from, size_t bytes);

#endif
