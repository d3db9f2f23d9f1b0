/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "allocators.h"

#include "say.h"

#include <errno.h>
#include <glob.h>
#include <gnu/libc-version.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of several files of one allocator, the first pattern that is there counts. */
static const struct {
    const char *name;
    const char *patterns[3];
} known[] = {
    {"jemalloc", {"libjemalloc.so.[0-9]", "libjemalloc.so"}},
    {"mimalloc", {"libmimalloc.so.[0-9]", "libmimalloc.so.[0-9].[0-9]", "libmimalloc.so"}},
    {"tcmalloc", {"libtcmalloc_minimal.so.[0-9]", "libtcmalloc.so.[0-9]", "libtcmalloc.so"}},
    {"snmalloc", {"libsnmallocshim.so", "libsnmalloc*.so"}},
    {"rpmalloc", {"librpmallocwrap.so", "librpmalloc.so"}},
    {"hardened_malloc", {"libhardened_malloc.so"}},
    {"scudo", {"libscudo.so", "libscudo.so.[0-9]"}},
};

static const char *const folders[] = {
    "/usr/local/lib", "/usr/local/lib64", "/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib",
};

/* The first file that matches, in the first folder. */
static bool find_file(const char *pattern, char *path)
{
    for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        glob_t matches;
        char whole[128];
        snprintf(whole, sizeof(whole), "%s/%s", folders[i], pattern);
        bool is_found = glob(whole, 0, NULL, &matches) == 0 && matches.gl_pathc > 0 &&
                        realpath(matches.gl_pathv[0], path) != NULL;
        globfree(&matches);
        if (is_found) {
            return true;
        }
    }
    return false;
}

unsigned allocators_find(struct allocator *found, const char *library)
{
    unsigned count = 0;
    snprintf(found[count].name, sizeof(found->name), "glibc %s", gnu_get_libc_version());
    found[count++].path[0] = '\0';
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        for (unsigned j = 0; j < 3 && known[i].patterns[j] != NULL; j++) {
            if (find_file(known[i].patterns[j], found[count].path)) {
                snprintf(found[count++].name, sizeof(found->name), "%s", known[i].name);
                break;
            }
        }
    }
    snprintf(found[count].name, sizeof(found->name), "poolmalloc");
    snprintf(found[count++].path, PATH_MAX, "%s", library);
    return count;
}

unsigned allocators_add(struct allocator *found, unsigned count, const char *name_and_path)
{
    size_t name_length = strcspn(name_and_path, "=");
    if (name_and_path[name_length] == '\0' || count == ALLOCATORS_MAX) {
        die(EXIT_USAGE, "compare: \"%s\" is not NAME=FILE, or one too many", name_and_path);
    }
    found[count] = found[count - 1];
    struct allocator *added = &found[count - 1];
    snprintf(added->name, sizeof(added->name), "%.*s", (int)name_length, name_and_path);
    if (realpath(name_and_path + name_length + 1, added->path) == NULL) {
        die(EXIT_FAILED, "%s: %s", name_and_path + name_length + 1, strerror(errno));
    }
    return count + 1;
}
