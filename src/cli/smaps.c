/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "smaps.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

struct range {
    uint64_t start;
    uint64_t end;
};

struct ranges {
    struct range *all;
    size_t count;
    size_t capacity;
};

struct mapping {
    struct range range;
    bool is_private;
    bool is_readable;
    char name[256];
    bool is_after_guard; /* an unreadable mapping ends where it starts */
    uint64_t resident;
    uint64_t huge_pages;
};

static void add_range(void *context, const void *start, size_t bytes)
{
    struct ranges *ranges = context;
    if (ranges->count == ranges->capacity) {
        ranges->capacity = 2 * ranges->capacity + 64;
        ranges->all = reallocarray(ranges->all, ranges->capacity, sizeof(ranges->all[0]));
        if (ranges->all == NULL) {
            die(EXIT_FAILED, "doctor: out of memory");
        }
    }
    uint64_t first = (uintptr_t)start;
    ranges->all[ranges->count++] = (struct range){first, first + bytes};
}

static int by_start(const void *left, const void *right)
{
    uint64_t a = ((const struct range *)left)->start;
    uint64_t b = ((const struct range *)right)->start;
    return (a > b) - (a < b);
}

/* Does any of the ranges, sorted and apart, meet this one? */
static bool meets(const struct ranges *ranges, struct range range)
{
    size_t low = 0;
    size_t high = ranges->count; /* the first one that ends behind range.start lies in low..high */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->all[middle].end <= range.start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranges->count && ranges->all[low].start < range.end;
}

static enum owner owner_of(const struct mapping *mapping, const struct ranges *ranges)
{
    bool is_anonymous = mapping->name[0] == '\0' || strncmp(mapping->name, "[anon", 5) == 0;
    if (is_anonymous && meets(ranges, mapping->range)) {
        return OWNER_POOL;
    }
    if (strncmp(mapping->name, "[stack", 6) == 0 ||
        (is_anonymous && mapping->is_private && mapping->is_after_guard)) {
        return OWNER_STACKS;
    }
    if (strcmp(mapping->name, "[heap]") == 0) {
        return OWNER_HEAP;
    }
    if (!is_anonymous && !mapping->is_private) {
        return OWNER_SHARED;
    }
    return is_anonymous ? OWNER_OTHER : OWNER_FILES;
}

static void add_mapping(struct smaps *smaps, const struct mapping *mapping,
                        const struct ranges *ranges)
{
    enum owner owner = owner_of(mapping, ranges);
    smaps->resident += mapping->resident;
    smaps->by_owner[owner] += mapping->resident;
    smaps->stack_count += owner == OWNER_STACKS && mapping->resident != 0;
    smaps->huge_pages += owner == OWNER_POOL ? mapping->huge_pages : 0;
    if (owner != OWNER_POOL && mapping->resident > smaps->largest_foreign) {
        smaps->largest_foreign = mapping->resident;
        snprintf(smaps->largest_foreign_name, sizeof(smaps->largest_foreign_name), "%s",
                 mapping->name[0] == '\0' ? "an anonymous mapping" : mapping->name);
    }
}

/* "start-end rwxp offset dev inode   name". false: a line about the mapping before. */
static bool parse_head(const char *line, struct mapping *next)
{
    unsigned long long start = 0;
    unsigned long long end = 0;
    char rights[8] = "";
    int name_at = 0;
    if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %n", &start, &end, rights, &name_at) < 3) {
        return false;
    }
    *next = (struct mapping){
        .range = {start, end}, .is_private = rights[3] == 'p', .is_readable = rights[0] == 'r'};
    snprintf(next->name, sizeof(next->name), "%s", line + name_at);
    next->name[strcspn(next->name, "\n")] = '\0';
    return true;
}

static void parse_lines(FILE *file, struct smaps *smaps, const struct ranges *ranges)
{
    struct mapping mapping = {0};
    struct mapping next;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) >= 0) {
        unsigned long long kib = 0;
        if (parse_head(line, &next)) {
            next.is_after_guard = !mapping.is_readable && mapping.range.end == next.range.start;
            add_mapping(smaps, &mapping, ranges);
            mapping = next;
        } else if (sscanf(line, "Rss: %llu", &kib) == 1) {
            mapping.resident = kib << 10;
        } else if (sscanf(line, "AnonHugePages: %llu", &kib) == 1) {
            mapping.huge_pages = kib << 10;
        } else if (sscanf(line, "Swap: %llu", &kib) == 1) {
            smaps->swapped += kib << 10;
        }
    }
    add_mapping(smaps, &mapping, ranges);
    free(line);
}

bool smaps_read(struct smaps *smaps, const struct view *view)
{
    char path[64];
    struct ranges ranges = {0};
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)view->process.pid);
    FILE *file = fopen(path, "re");
    *smaps = (struct smaps){0};
    if (file == NULL) {
        return false;
    }
    view_ranges(view, add_range, &ranges);
    qsort(ranges.all, ranges.count, sizeof(ranges.all[0]), by_start);
    parse_lines(file, smaps, &ranges);
    fclose(file);
    free(ranges.all);
    return smaps->resident != 0;
}
