/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process.h"

#include "elf_file.h"
#include "say.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

static const char symbol_name[] = "poolmalloc_layout";
static const char meta_name[] = "[anon:poolmalloc metadata]";

bool process_read(const struct process *process, uint64_t from, void *to, size_t bytes)
{
    struct iovec local = {to, bytes};
    struct iovec remote = {(void *)(uintptr_t)from, bytes};
    return process_vm_readv(process->pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

bool process_write(const struct process *process, uint64_t to, const void *from, size_t bytes)
{
    struct iovec local = {(void *)(uintptr_t)from, bytes};
    struct iovec remote = {(void *)(uintptr_t)to, bytes};
    return process_vm_writev(process->pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

static FILE *open_proc(const struct process *process, const char *file)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)process->pid, file);
    return fopen(path, "re");
}

/* Reads name, state and start time. Returns the state's letter, 0: no such process. */
static char read_stat(const struct process *process, char *name, size_t capacity,
                      unsigned long long *before)
{
    char line[1024] = "";
    FILE *file = open_proc(process, "stat");
    size_t length = file == NULL ? 0 : fread(line, 1, sizeof(line) - 1, file);
    line[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    char *open = strchr(line, '(');
    char *close = strrchr(line, ')');
    if (open == NULL || close == NULL || strlen(close) < 3) {
        return 0;
    }
    char *field = close + 2; /* the third, the state; the start time is the 22nd */
    char state = *field;
    for (unsigned i = 3; i < 22 && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    *before = field == NULL ? 0 : strtoull(field, NULL, 10);
    *close = '\0';
    snprintf(name, capacity, "%s", open + 1);
    return state;
}

bool process_is_alive(const struct process *process)
{
    char name[sizeof(process->name)];
    unsigned long long before = 0;
    char state = read_stat(process, name, sizeof(name), &before);
    return state != 0 && state != 'Z' && state != 'X' && before == process->before;
}

bool maps_line_parse(struct maps_line *parsed, const char *line)
{
    enum { RIGHTS_LETTERS = 4, FIELDS_BEFORE_NAME = 2 };
    char *at;
    parsed->start = strtoull(line, &at, 16);
    if (at == line || *at != '-') {
        return false;
    }
    parsed->end = strtoull(at + 1, &at, 16);
    if (*at != ' ' || strlen(at) < RIGHTS_LETTERS + 2) {
        return false;
    }
    parsed->is_readable = at[1] == 'r';
    parsed->is_private = at[RIGHTS_LETTERS] == 'p';
    parsed->offset = strtoull(at + RIGHTS_LETTERS + 1, &at, 16);
    for (unsigned i = 0; i < FIELDS_BEFORE_NAME; i++) {
        at += strspn(at, " ");
        at += strcspn(at, " \n");
    }
    parsed->name = at + strspn(at, " \n");
    return true;
}

/* ---- A symbol in the memory of a process ------------------------------------------------- */

struct image {
    const struct process *process;
    uint64_t bias; /* what is added to an address of the file */
    uint64_t symbols;
    uint64_t strings;
    uint64_t hash; /* DT_GNU_HASH */
};

/* glibc has put the bias into the dynamic entries already, musl has not. */
static uint64_t biased(const struct image *image, uint64_t address)
{
    return address < image->bias ? address + image->bias : address;
}

static bool read_dynamic(struct image *image, uint64_t dynamic, size_t bytes)
{
    Elf64_Dyn entries[128];
    bytes = bytes < sizeof(entries) ? bytes : sizeof(entries);
    if (!process_read(image->process, dynamic, entries, bytes)) {
        return false;
    }
    for (size_t i = 0; i < bytes / sizeof(entries[0]) && entries[i].d_tag != DT_NULL; i++) {
        uint64_t address = biased(image, entries[i].d_un.d_ptr);
        switch (entries[i].d_tag) {
        case DT_SYMTAB:
            image->symbols = address;
            break;
        case DT_STRTAB:
            image->strings = address;
            break;
        case DT_GNU_HASH:
            image->hash = address;
            break;
        default:
            break;
        }
    }
    return image->symbols != 0 && image->strings != 0 && image->hash != 0;
}

/* Reads the header at the start of a mapping. false: not a 64-bit ELF file with symbols. */
static bool read_image(struct image *image, uint64_t start)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[32];
    const Elf64_Phdr *dynamic = NULL;
    bool has_bias = false;
    if (!process_read(image->process, start, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phnum > sizeof(segments) / sizeof(segments[0]) ||
        !process_read(image->process, start + header.e_phoff, segments,
                      header.e_phnum * sizeof(segments[0]))) {
        return false;
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0) {
            image->bias = start - segments[i].p_vaddr;
            has_bias = true;
        }
        if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = &segments[i];
        }
    }
    return has_bias && dynamic != NULL &&
           read_dynamic(image, image->bias + dynamic->p_vaddr, dynamic->p_memsz);
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;
    for (; *name != '\0'; name++) {
        hash = hash * 33 + (unsigned char)*name;
    }
    return hash;
}

/* The address of a symbol whose index is known, 0 if it has another name. */
static uint64_t symbol_if_named(const struct image *image, uint32_t index, const char *name)
{
    Elf64_Sym symbol;
    char found[64] = "";
    if (!process_read(image->process, image->symbols + index * sizeof(symbol), &symbol,
                      sizeof(symbol)) ||
        symbol.st_shndx == SHN_UNDEF ||
        !process_read(image->process, image->strings + symbol.st_name, found, strlen(name) + 1) ||
        strcmp(found, name) != 0) {
        return 0;
    }
    return image->bias + symbol.st_value;
}

/* The hash section: header, bloom filter, buckets, chains; the last of a chain has its low bit
 * set. (As the linker writes it; the bloom filter is skipped.) */
static uint64_t image_symbol(const struct image *image, const char *name)
{
    struct {
        uint32_t bucket_count, first_symbol, bloom_words, bloom_shift;
    } header;
    uint32_t hash = gnu_hash(name);
    uint32_t index = 0;
    if (!process_read(image->process, image->hash, &header, sizeof(header)) ||
        header.bucket_count == 0) {
        return 0;
    }
    uint64_t buckets = image->hash + sizeof(header) + header.bloom_words * sizeof(uint64_t);
    uint64_t chains = buckets + header.bucket_count * sizeof(uint32_t);
    process_read(image->process, buckets + hash % header.bucket_count * sizeof(uint32_t), &index,
                 sizeof(index));
    for (uint32_t chained = 0; index >= header.first_symbol && (chained & 1) == 0; index++) {
        if (!process_read(image->process, chains + (index - header.first_symbol) * sizeof(chained),
                          &chained, sizeof(chained))) {
            return 0;
        }
        uint64_t address = (chained | 1) == (hash | 1) ? symbol_if_named(image, index, name) : 0;
        if (address != 0) {
            return address;
        }
    }
    return 0;
}

/* ---- Finding the library ----------------------------------------------------------------- */

static uint64_t symbol_in_program_file(const struct process *process, uint64_t bias)
{
    char path[64];
    struct elf_file file;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)process->pid);
    enum elf_kind kind = elf_open(&file, path);
    if (kind == ELF_UNREADABLE) {
        return 0;
    }
    uint64_t value = kind == ELF_64 ? elf_symbol(&file, symbol_name) : 0;
    elf_close(&file);
    return value == 0 ? 0 : bias + value;
}

struct search {
    unsigned mappings;   /* seen at all */
    bool has_metadata;   /* a mapping that only the library makes */
    uint64_t found;      /* address of the symbol */
    uint64_t first_bias; /* of the program, the first file mapped */
    bool has_first;
    bool is_forbidden; /* Yama lets read which mappings there are, but not what is in them */
};

static void search_mapping(const struct process *process, const char *line, struct search *search)
{
    struct maps_line mapping;
    struct image image = {.process = process};
    if (!maps_line_parse(&mapping, line)) {
        return;
    }
    search->mappings++;
    search->has_metadata |= strncmp(mapping.name, meta_name, strlen(meta_name)) == 0;
    if (mapping.offset != 0 || mapping.name[0] != '/' || search->found != 0) {
        return;
    }
    errno = 0;
    bool has_symbols = read_image(&image, mapping.start);
    search->is_forbidden |= errno == EPERM;
    if (!search->has_first) {
        search->has_first = true;
        search->first_bias = image.bias;
    }
    search->found = has_symbols ? image_symbol(&image, symbol_name) : 0;
}

static _Noreturn void die_forbidden(const struct process *process, const char *command)
{
    struct stat status;
    char path[32];
    char owner[64] = "another user";
    snprintf(path, sizeof(path), "/proc/%d", (int)process->pid);
    if (stat(path, &status) == 0) {
        const struct passwd *user = getpwuid(status.st_uid);
        snprintf(owner, sizeof(owner), "%s", user == NULL ? "another user" : user->pw_name);
    }
    die(EXIT_FAILED,
        "%s: may not read process %d (%s) of %s: run as that user, or as root where "
        "kernel.yama.ptrace_scope is set",
        command, (int)process->pid, process->name, owner);
}

static struct search search_mappings(const struct process *process, const char *command)
{
    struct search search = {0};
    char *line = NULL;
    size_t capacity = 0;
    FILE *maps = open_proc(process, "maps");
    errno = 0;
    while (maps != NULL && getline(&line, &capacity, maps) >= 0) {
        search_mapping(process, line, &search);
    }
    search.is_forbidden |= maps == NULL ? errno != ENOENT : search.mappings == 0 && errno == EACCES;
    free(line);
    if (maps != NULL) {
        fclose(maps);
    }
    if (search.is_forbidden) {
        die_forbidden(process, command);
    }
    if (search.found == 0 && search.has_first) {
        search.found = symbol_in_program_file(process, search.first_bias);
    }
    return search;
}

void process_open(struct process *process, const char *command, const char *pid_text)
{
    char *rest = NULL;
    errno = 0;
    long pid = strtol(pid_text, &rest, 10);
    *process = (struct process){.pid = (pid_t)pid};
    if (rest == pid_text || *rest != '\0' || pid <= 0 || pid > INT_MAX) {
        die(EXIT_USAGE, "%s: \"%s\" is not a process id", command, pid_text);
    }
    char state = read_stat(process, process->name, sizeof(process->name), &process->before);
    if (state == 0) {
        die(EXIT_FAILED, "%s: there is no process %ld", command, pid);
    }
    if (state == 'Z' || state == 'X') {
        die(EXIT_FAILED, "%s: process %ld (%s) has ended", command, pid, process->name);
    }
    struct search search = search_mappings(process, command);
    if (search.mappings == 0) {
        die(EXIT_FAILED, "%s: process %ld (%s) is the kernel's or has just ended", command, pid,
            process->name);
    }
    if (search.found == 0) {
        die(EXIT_FAILED,
            search.has_metadata
                ? "%s: process %ld (%s) runs on the library, but its symbols were stripped"
                : "%s: process %ld (%s) does not run on the library: start it by 'poolmalloc run'",
            command, pid, process->name);
    }
    process->layout_address = search.found;
}
