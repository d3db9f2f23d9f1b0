/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every statistic of the process as a whole: its name, its unit and one sentence. What reports,
 * metrics, the control functions and docs/statistics.md say about one comes from here. */
#ifndef POOLMALLOC_STATS_TABLE_H
#define POOLMALLOC_STATS_TABLE_H

#include "stats.h"

enum stat_kind {
    STAT_BYTES,       /* now */
    STAT_COUNT,       /* now */
    STAT_TOTAL_BYTES, /* since the start */
    STAT_TOTAL,       /* since the start */
};

struct stat_row {
    const char *name;
    const char *help; /* one sentence */
    uint32_t offset;  /* of a uint64_t in struct stats_totals */
    uint32_t kind;    /* enum stat_kind */
};

/* Ends with a NULL name. */
extern const struct stat_row stat_rows[];

uint64_t stat_value(const struct stats_totals *totals, const struct stat_row *row);
/* NULL: no statistic has this name. */
const struct stat_row *stat_find(const char *name);

/* "tiny", "small", "normal", "huge". */
const char *stats_kind_name(enum size_kind kind);

#endif
