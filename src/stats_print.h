/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics as people and programs read them. Pure: what is printed is in the struct. */
#ifndef POOLMALLOC_STATS_PRINT_H
#define POOLMALLOC_STATS_PRINT_H

#include "sink.h"
#include "stats_table.h"

enum stats_format { STATS_TEXT, STATS_JSON, STATS_PROMETHEUS, STATS_OPENMETRICS };

/* The waterfall alone: ten rows that add up, and one sentence on where most of the memory is. */
void stats_print_waterfall(struct sink *sink, const struct stats *stats);

/* Waterfall, size classes, arenas, fragmentation at the peak. */
void stats_print_text(struct sink *sink, const struct stats *stats);

/* One line a row; docs/statistics.schema.json describes it. */
void stats_print_json(struct sink *sink, const struct stats *stats);

/* Prometheus's text format, or OpenMetrics 1.0, which wants counters' heads spelled otherwise. */
void stats_print_prometheus(struct sink *sink, const struct stats *stats, bool is_openmetrics);

/* Any of them. */
void stats_print(struct sink *sink, const struct stats *stats, enum stats_format format);

/* The sentence alone, without a line end: what most of the resident memory is, and what to do. */
const char *stats_verdict(const struct stats *stats);

#endif
