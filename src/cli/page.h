/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTML pages that need no other file: a template from the source tree, taken into the command at
 * build time, with data put into its script. */
#ifndef POOLMALLOC_CLI_PAGE_H
#define POOLMALLOC_CLI_PAGE_H

#include <stdio.h>

/* Defines the string `name` with the contents of a file, relative to the top of the tree. */
#define PAGE_TEMPLATE(name, file)                                                                  \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden " #name "\n"                                                                  \
            ".globl " #name "\n" #name ":\n"                                                       \
            ".incbin \"" file "\"\n"                                                               \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char name[] /* NOLINT(bugprone-macro-parentheses): a declaration */

/* Where the data goes in a template. */
#define PAGE_MARK "/*DATA*/"

typedef void (*page_put)(FILE *out, const void *data);

/* Writes a template with put(out, data) in place of its mark. */
void page_write(FILE *out, const char *template, page_put put, const void *data);

/* The same into a file, "-" is standard output. Ends the command where it cannot be written. */
void page_save(const char *path, const char *template, page_put put, const void *data);

/* Ends the command if a file could not be written; leaves it as it is. */
void page_check(const char *path);

#endif
