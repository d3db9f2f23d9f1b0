/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup.h"

#include "os.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, FILE_BYTES = 16 };

/* The path of the process's own cgroup (v2) below the mount point, without a closing slash. */
static bool find_cgroup(char *group, size_t capacity)
{
    if (os_read_file("/proc/self/cgroup", group, capacity) < 0) {
        return false;
    }
    char *own = strstr(group, "0::/");
    if (own == NULL) {
        return false;
    }
    own += strlen("0::");
    size_t length = strcspn(own, "\n");
    memmove(group, own, length);
    group[length == 1 ? 0 : length] = '\0';
    return true;
}

/* Calls read_limit with the text of `file` in the cgroup and in each one above it. */
static void for_each_cgroup(const char *file, void (*read_limit)(const char *text, uint64_t *limit),
                            uint64_t *limit)
{
    static const char mount[] = "/sys/fs/cgroup";
    char group[PATH_BYTES];
    char path[sizeof(mount) + sizeof(group) + FILE_BYTES];
    char text[64];
    if (!find_cgroup(group, sizeof(group))) {
        return;
    }
    for (;;) {
        size_t length = strlen(group);
        memcpy(path, mount, sizeof(mount));
        memcpy(path + sizeof(mount) - 1, group, length);
        memcpy(path + sizeof(mount) - 1 + length, file, strlen(file) + 1);
        if (os_read_file(path, text, sizeof(text)) > 0 && strncmp(text, "max", 3) != 0) {
            read_limit(text, limit);
        }
        if (length == 0) {
            return;
        }
        while (group[--length] != '/') {
        }
        group[length] = '\0';
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
