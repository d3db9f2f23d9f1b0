/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program a user names, and the library to put in front of it. */
#ifndef POOLMALLOC_CLI_PROGRAM_H
#define POOLMALLOC_CLI_PROGRAM_H

#include <limits.h>

/* Finds a program as the shell does and makes sure that `library` can be preloaded into it: ends
 * the command with one line where it cannot (static, privileged, another machine's or libc's).
 * Scripts are followed to their interpreter. path: PATH_MAX bytes. */
void program_find(const char *name, const char *library, char *path);

/* Finds libpoolmalloc.so.1 beside the command: in its folder or in ../lib. path: PATH_MAX bytes;
 * given: a path the user gave, or NULL. Ends the command where there is none. */
void library_find(const char *given, char *path);

/* Puts a library at the front of LD_PRELOAD. */
void library_preload(const char *path);

#endif
