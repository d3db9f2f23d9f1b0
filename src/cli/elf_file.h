/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command must know of an ELF file: whether a library can be preloaded into it, and where
 * a symbol lies. Files of other machines and broken ones are told apart, never trusted: every
 * offset is checked against the file's size. */
#ifndef POOLMALLOC_CLI_ELF_FILE_H
#define POOLMALLOC_CLI_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    const unsigned char *bytes; /* mapped for reading */
    size_t length;
};

enum elf_kind { ELF_OTHER, ELF_32, ELF_64, ELF_UNREADABLE };

/* Maps a file. ELF_OTHER: not ELF, still mapped; ELF_UNREADABLE: errno says why, nothing mapped. */
enum elf_kind elf_open(struct elf_file *file, const char *path);
void elf_close(struct elf_file *file);

/* 64-bit files only. */
unsigned elf_machine(const struct elf_file *file);
/* The dynamic loader the program asks for; NULL: it is linked statically. */
const char *elf_interpreter(const struct elf_file *file);
/* Does it need a library whose name begins so? */
bool elf_needs(const struct elf_file *file, const char *prefix);
/* The value of a defined symbol of .symtab, 0: none. */
uint64_t elf_symbol(const struct elf_file *file, const char *name);

#endif
