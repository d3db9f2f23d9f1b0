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

static struct mapping mapping_of(const struct maps_line *line, const struct mapping *before)
{
    struct mapping mapping = {
        .range = {line->start, line->end},
        .is_private = line->is_private,
        .is_readable = line->is_readable,
        .is_after_guard = !before->is_readable && before->range.end == line->start,
    };
    snprintf(mapping.name, sizeof(mapping.name), "%s", line->name);
    mapping.name[strcspn(mapping.name, "\n")] = '\0';
    return mapping;
}

/* "Rss:      12 kB" in bytes, 0 if the line is about something else. */
static uint64_t field_bytes(const char *line, const char *field)
{
    size_t length = strlen(field);
    return strncmp(line, field, length) == 0 ? strtoull(line + length, NULL, 10) << 10 : 0;
}

static void parse_lines(FILE *file, struct smaps *smaps, const struct ranges *ranges)
{
    struct mapping mapping = {0};
    struct maps_line head;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) >= 0) {
        if (maps_line_parse(&head, line)) {
            add_mapping(smaps, &mapping, ranges);
            mapping = mapping_of(&head, &mapping);
        } else {
            mapping.resident += field_bytes(line, "Rss:");
            mapping.huge_pages += field_bytes(line, "AnonHugePages:");
            smaps->swapped += field_bytes(line, "Swap:");
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
