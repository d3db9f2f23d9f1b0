/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every statistic: its name, its unit and one sentence. What reports,
 * metrics, the control functions and docs/statistics.md say about one comes from here. */
#ifndef POOLMALLOC_STATS_TABLE_H
#define POOLMALLOC_STATS_TABLE_H

#include "stats_sums.h"

enum stat_kind {
    STAT_BYTES,       /* now */
    STAT_COUNT,       /* now */
    STAT_TOTAL_BYTES, /* since the start */
    STAT_TOTAL,       /* since the start */
};

struct stat_row {
    const char *name;
    const char *help; /* one sentence */
    uint32_t offset;  /* of a uint64_t in the struct that the table is about */
    uint32_t kind;    /* enum stat_kind */
};

/* Of struct stats_totals, stats_class, stats_arena. Each ends with a NULL name. */
extern const struct stat_row stat_rows[];
extern const struct stat_row stat_class_rows[];
extern const struct stat_row stat_arena_rows[];

/* object: of the struct that the row's table is about. */
uint64_t stat_value(const void *object, const struct stat_row *row);
/* NULL: no statistic of the table has this name. */
const struct stat_row *stat_find(const struct stat_row *table, const char *name);

/* "tiny", "small", "normal", "huge". */
const char *stats_kind_name(enum size_kind kind);

#endif
