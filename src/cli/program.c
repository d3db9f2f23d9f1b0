/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include "elf_file.h"
#include "say.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char library_name[] = "libpoolmalloc.so.1";
enum { SCRIPT_DEPTH_MAX = 4, PRELOAD_MAX_BYTES = 4 * PATH_MAX };

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Searches PATH for a name without a slash. */
static bool search_path(const char *name, char *path)
{
    const char *folders = getenv("PATH");
    folders = folders == NULL ? "/usr/bin:/bin" : folders;
    while (*folders != '\0') {
        size_t length = strcspn(folders, ":");
        snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, folders, length == 0 ? "" : "/", name);
        if (is_program(path)) {
            return true;
        }
        folders += length + (folders[length] == ':');
    }
    return false;
}

static void locate(const char *name, char *path)
{
    if (strchr(name, '/') == NULL) {
        if (!search_path(name, path)) {
            die(EXIT_NOT_FOUND, "%s: no such program", name);
        }
        return;
    }
    snprintf(path, PATH_MAX, "%s", name);
    if (access(path, F_OK) != 0) {
        die(EXIT_NOT_FOUND, "%s: %s", name, strerror(errno));
    }
    if (!is_program(path)) {
        die(EXIT_CANNOT_RUN, "%s: not a program that may be executed", name);
    }
}

/* The loader drops LD_PRELOAD when a program starts with more rights than its caller has. */
static void check_rights(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return;
    }
    bool raises_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != getuid();
    bool raises_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != getgid();
    if (raises_user || raises_group) {
        die(EXIT_CANNOT_RUN, "%s: is set-%s-ID, the system ignores LD_PRELOAD there", path,
            raises_user ? "user" : "group");
    }
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0) {
        die(EXIT_CANNOT_RUN, "%s: has file capabilities, the system ignores LD_PRELOAD there",
            path);
    }
}

static void check_binary(const char *path, const struct elf_file *program, const char *library)
{
    struct elf_file ours;
    if (elf_open(&ours, library) != ELF_64) {
        die(EXIT_FAILED, "%s: not a 64-bit library", library);
    }
    const char *interpreter = elf_interpreter(program);
    if (elf_machine(program) != elf_machine(&ours)) {
        die(EXIT_CANNOT_RUN, "%s: made for another machine than the library", path);
    }
    if (interpreter == NULL) {
        die(EXIT_CANNOT_RUN, "%s: statically linked, nothing can be preloaded (link it with %s)",
            path, "libpoolmalloc.a");
    }
    bool is_musl = strstr(interpreter, "ld-musl") != NULL;
    if (is_musl != elf_needs(&ours, "libc.musl") && elf_needs(&ours, "libc.so.6")) {
        die(EXIT_CANNOT_RUN, "%s: uses the libc musl, the library was built for glibc", path);
    }
    elf_close(&ours);
}

/* The interpreter in a script's first line. false: no such line, the shell takes the file. */
static bool script_interpreter(const struct elf_file *script, char *interpreter)
{
    size_t length = script->length < PATH_MAX - 1 ? script->length : PATH_MAX - 1;
    if (length < 3 || memcmp(script->bytes, "#!", 2) != 0) {
        return false;
    }
    memcpy(interpreter, script->bytes + 2, length - 2);
    interpreter[length - 2] = '\0';
    size_t blanks = strspn(interpreter, " \t");
    memmove(interpreter, interpreter + blanks, length - 1 - blanks);
    interpreter[strcspn(interpreter, " \t\r\n")] = '\0';
    return true;
}

void program_find(const char *name, const char *library, char *path)
{
    char current[PATH_MAX];
    locate(name, path);
    memcpy(current, path, PATH_MAX);
    for (unsigned depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
        struct elf_file file;
        enum elf_kind kind = elf_open(&file, current);
        if (kind == ELF_UNREADABLE) {
            die(EXIT_NOT_FOUND, "%s: %s", current, strerror(errno));
        }
        if (kind != ELF_OTHER) {
            check_rights(current);
        }
        if (kind == ELF_32) {
            die(EXIT_CANNOT_RUN, "%s: a 32-bit program, the library is 64-bit", current);
        }
        if (kind == ELF_64) {
            check_binary(current, &file, library);
        } else if (!script_interpreter(&file, current)) {
            snprintf(current, sizeof(current), "/bin/sh");
        }
        elf_close(&file);
        if (kind == ELF_64) {
            return;
        }
    }
    die(EXIT_CANNOT_RUN, "%s: its interpreters are scripts without end", name);
}

void library_find(const char *given, char *path)
{
    static const char *const folders[] = {"", "/../lib", "/../lib64"};
    char own[PATH_MAX];
    char candidate[PATH_MAX + sizeof(library_name) + 16];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (given != NULL) {
        if (realpath(given, path) == NULL) {
            die(EXIT_FAILED, "%s: %s", given, strerror(errno));
        }
        return;
    }
    own[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(candidate, sizeof(candidate), "%s%s/%s", own, folders[i], library_name);
        if (realpath(candidate, path) != NULL) {
            return;
        }
    }
    die(EXIT_FAILED, "%s is not in %s nor in %s/../lib (name it by --library)", library_name, own,
        own);
}

void library_preload(const char *path)
{
    char value[PRELOAD_MAX_BYTES];
    const char *others = getenv("LD_PRELOAD");
    if (strpbrk(path, ": ") != NULL) {
        die(EXIT_FAILED, "%s: LD_PRELOAD cannot hold a path with blanks or colons", path);
    }
    bool has_others = others != NULL && others[0] != '\0';
    int length = snprintf(value, sizeof(value), "%s%s%s", path, has_others ? ":" : "",
                          has_others ? others : "");
    if (length >= (int)sizeof(value)) {
        die(EXIT_FAILED, "LD_PRELOAD is too long");
    }
    setenv("LD_PRELOAD", value, 1);
}
