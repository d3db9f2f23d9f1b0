/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup.h"

#include "os.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char mount[] = "/sys/fs/cgroup";
enum { MOUNT_BYTES = sizeof(mount) - 1, PATH_BYTES = 4096, FILE_BYTES = 16 };

/* The path of the process's own cgroup below its mount point, without a closing slash. Returns its
 * length, 0: there is none. */
static size_t find_cgroup(char *path, size_t capacity)
{
    if (os_read_file("/proc/self/cgroup", path, capacity) < 0) {
        return 0;
    }
    const char *own = strstr(path, "0::/");
    if (own == NULL) {
        return 0;
    }
    own += strlen("0::");
    size_t length = strcspn(own, "\n");
    if (MOUNT_BYTES + length >= capacity) {
        return 0;
    }
    memmove(path + MOUNT_BYTES, own, length);
    memcpy(path, mount, MOUNT_BYTES);
    return MOUNT_BYTES + (length == 1 ? 0 : length);
}

/* Calls read_limit with the text of `file` in the cgroup and in each one above it. */
static void for_each_cgroup(const char *file, void (*read_limit)(const char *text, uint64_t *limit),
                            uint64_t *limit)
{
    char path[PATH_BYTES + FILE_BYTES];
    char text[64];
    size_t length = find_cgroup(path, PATH_BYTES);
    while (length != 0) {
        memcpy(path + length, file, strlen(file) + 1);
        if (os_read_file(path, text, sizeof(text)) > 0 && strncmp(text, "max", 3) != 0) {
            read_limit(text, limit);
        }
        if (length == MOUNT_BYTES) {
            return;
        }
        while (path[--length] != '/') {
        }
    }
}

static void lower(uint64_t *limit, uint64_t value)
{
    if (*limit == 0 || value < *limit) {
        *limit = value;
    }
}

/* "QUOTA PERIOD" in microseconds. */
static void read_cpu_limit(const char *text, uint64_t *limit)
{
    char *rest = NULL;
    uint64_t quota = strtoul(text, &rest, 10);
    uint64_t period = strtoul(rest, NULL, 10);
    if (period != 0 && quota != 0) {
        lower(limit, (quota + period - 1) / period);
    }
}

static void read_memory_limit(const char *text, uint64_t *limit)
{
    lower(limit, strtoul(text, NULL, 10));
}

uint64_t cgroup_memory_limit(void)
{
    uint64_t limit = 0;
    for_each_cgroup("/memory.max", read_memory_limit, &limit);
    for_each_cgroup("/memory.high", read_memory_limit, &limit);
    return limit;
}

unsigned cgroup_cpu_quota(void)
{
    uint64_t quota = 0;
    for_each_cgroup("/cpu.max", read_cpu_limit, &quota);
    return (unsigned)quota;
}
