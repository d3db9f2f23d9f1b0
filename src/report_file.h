/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that appears whole or not at all: written under a temporary name beside it, then renamed.
 * What is there and is no regular file (a terminal, a pipe, a link such as /dev/stdout) is appended
 * to. No allocation, no lock: good in a signal handler. */
#ifndef POOLMALLOC_REPORT_FILE_H
#define POOLMALLOC_REPORT_FILE_H

#include <stdbool.h>

enum { REPORT_PATH_BYTES = 1024 };

struct report_file {
    int descriptor;
    bool is_ours; /* to close */
    bool is_temporary;
    char path[REPORT_PATH_BYTES];
    char temporary_path[REPORT_PATH_BYTES];
};

/* Remembers what standard error is: many programs close it before the last report. */
void report_file_keep_stderr(void);

/* pattern: %p stands for the process id, %t for the seconds since 1970, %% for %; empty: standard
 * error. false: it cannot be written, errno says why, nothing is open. */
bool report_file_open(struct report_file *file, const char *pattern);
void report_file_close(struct report_file *file);

#endif
