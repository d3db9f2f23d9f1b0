/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum elf_kind elf_open(struct elf_file *file, const char *path)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return ELF_UNREADABLE;
    }
    *file = (struct elf_file){0};
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (bytes != MAP_FAILED) {
            *file = (struct elf_file){bytes, (size_t)status.st_size};
        }
    }
    close(descriptor);
    if (file->length < sizeof(Elf64_Ehdr) || memcmp(file->bytes, ELFMAG, SELFMAG) != 0) {
        return ELF_OTHER;
    }
    return file->bytes[EI_CLASS] == ELFCLASS64 ? ELF_64 : ELF_32;
}

void elf_close(struct elf_file *file)
{
    if (file->bytes != NULL) {
        munmap((void *)(uintptr_t)file->bytes, file->length);
    }
    *file = (struct elf_file){0};
}

/* `count` things of `size` at an offset, NULL if the file is too short for them. */
static const void *part(const struct elf_file *file, uint64_t offset, uint64_t count, size_t size)
{
    if (offset > file->length || count > (file->length - offset) / size) {
        return NULL;
    }
    return file->bytes + offset;
}

/* The string at an offset into a table, NULL if it does not end inside the table. */
static const char *string_at(const struct elf_file *file, uint64_t table, uint64_t table_bytes,
                             uint64_t offset)
{
    const char *strings = part(file, table, table_bytes, 1);
    if (strings == NULL || offset >= table_bytes ||
        memchr(strings + offset, '\0', table_bytes - offset) == NULL) {
        return NULL;
    }
    return strings + offset;
}

static const Elf64_Ehdr *header_of(const struct elf_file *file)
{
    return (const Elf64_Ehdr *)(const void *)file->bytes;
}

unsigned elf_machine(const struct elf_file *file)
{
    return header_of(file)->e_machine;
}

static const Elf64_Phdr *segment_of(const struct elf_file *file, uint32_t type)
{
    const Elf64_Ehdr *header = header_of(file);
    const Elf64_Phdr *segments = part(file, header->e_phoff, header->e_phnum, sizeof(*segments));
    for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++) {
        if (segments[i].p_type == type) {
            return &segments[i];
        }
    }
    return NULL;
}

const char *elf_interpreter(const struct elf_file *file)
{
    const Elf64_Phdr *segment = segment_of(file, PT_INTERP);
    return segment == NULL ? NULL : string_at(file, segment->p_offset, segment->p_filesz, 0);
}

static const Elf64_Shdr *section_of(const struct elf_file *file, uint32_t type)
{
    const Elf64_Ehdr *header = header_of(file);
    const Elf64_Shdr *sections = part(file, header->e_shoff, header->e_shnum, sizeof(*sections));
    for (unsigned i = 0; sections != NULL && i < header->e_shnum; i++) {
        if (sections[i].sh_type == type && sections[i].sh_link < header->e_shnum) {
            return &sections[i];
        }
    }
    return NULL;
}

/* The string table that a section of symbols or of dynamic entries refers to. */
static const Elf64_Shdr *strings_of(const struct elf_file *file, const Elf64_Shdr *section)
{
    const Elf64_Ehdr *header = header_of(file);
    const Elf64_Shdr *sections = part(file, header->e_shoff, header->e_shnum, sizeof(*sections));
    return &sections[section->sh_link];
}

bool elf_needs(const struct elf_file *file, const char *prefix)
{
    const Elf64_Shdr *section = section_of(file, SHT_DYNAMIC);
    const Elf64_Dyn *entries =
        section == NULL ? NULL : part(file, section->sh_offset, section->sh_size, 1);
    for (size_t i = 0; entries != NULL && i < section->sh_size / sizeof(*entries); i++) {
        const Elf64_Shdr *strings = strings_of(file, section);
        const char *name =
            entries[i].d_tag != DT_NEEDED
                ? NULL
                : string_at(file, strings->sh_offset, strings->sh_size, entries[i].d_un.d_val);
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t elf_symbol(const struct elf_file *file, const char *name)
{
    const Elf64_Shdr *section = section_of(file, SHT_SYMTAB);
    const Elf64_Sym *symbols =
        section == NULL ? NULL : part(file, section->sh_offset, section->sh_size, 1);
    for (size_t i = 0; symbols != NULL && i < section->sh_size / sizeof(*symbols); i++) {
        const Elf64_Shdr *strings = strings_of(file, section);
        const char *found =
            symbols[i].st_shndx == SHN_UNDEF
                ? NULL
                : string_at(file, strings->sh_offset, strings->sh_size, symbols[i].st_name);
        if (found != NULL && strcmp(found, name) == 0) {
            return symbols[i].st_value;
        }
    }
    return 0;
}
