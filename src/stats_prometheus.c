/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metrics in Prometheus's text format and in OpenMetrics 1.0. They differ in one thing: the head
 * lines of a counter name it with _total in the former (promtool, node_exporter's textfile
 * collector) and without in the latter.
 * Cardinality is fixed: one series per statistic, and one per kind of size class where said. */
#include "stats_print.h"

struct family {
    const char *name;
    const char *unit; /* "" or a word that ends the name */
    const char *help;
    bool is_counter;
    bool is_openmetrics;
};

static void print_name(struct text *text, const struct family *family, const char *suffix)
{
    text_string(text, "poolmalloc_");
    text_string(text, family->name);
    if (family->unit[0] != '\0') {
        text_char(text, '_');
        text_string(text, family->unit);
    }
    text_string(text, suffix);
}

static void print_head(struct text *text, const struct family *family, const char *keyword,
                       const char *rest)
{
    bool is_named_total = family->is_counter && !family->is_openmetrics;
    text_string(text, "# ");
    text_string(text, keyword);
    text_char(text, ' ');
    print_name(text, family, is_named_total ? "_total " : " ");
    text_string(text, rest);
    text_char(text, '\n');
}

static void print_heads(struct text *text, const struct family *family)
{
    print_head(text, family, "HELP", family->help);
    print_head(text, family, "TYPE", family->is_counter ? "counter" : "gauge");
    if (family->unit[0] != '\0') {
        print_head(text, family, "UNIT", family->unit);
    }
}

static struct text *print_series(struct sink *sink, const struct family *family, const char *kind)
{
    struct text *text = sink_line(sink);
    print_name(text, family, family->is_counter ? "_total" : "");
    if (kind != NULL) {
        text_string(text, "{kind=\"");
        text_string(text, kind);
        text_string(text, "\"}");
    }
    text_char(text, ' ');
    return text;
}

static void print_totals(struct sink *sink, const struct stats_totals *totals, bool is_openmetrics)
{
    for (const struct stat_row *row = stat_rows; row->name != NULL; row++) {
        bool is_bytes = row->kind == STAT_BYTES || row->kind == STAT_TOTAL_BYTES;
        struct family family = {
            .name = row->name,
            .unit = is_bytes ? "bytes" : "",
            .help = row->help,
            .is_counter = row->kind == STAT_TOTAL || row->kind == STAT_TOTAL_BYTES,
            .is_openmetrics = is_openmetrics,
        };
        print_heads(sink_line(sink), &family);
        struct text *text = print_series(sink, &family, NULL);
        text_number(text, stat_value(totals, row));
        text_char(text, '\n');
    }
}

/* ---- By kind of size class --------------------------------------------------------------- */

struct kind_sums {
    uint64_t live_blocks;
    uint64_t live_bytes;
    uint64_t allocs;
    uint64_t misses;
};

static void sum_kinds(const struct stats *stats, struct kind_sums sums[KIND_HUGE + 1])
{
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        const struct stats_class *counts = &stats->classes[class];
        struct kind_sums *sum = &sums[size_class_kind(class)];
        sum->live_blocks += counts->live;
        sum->live_bytes += counts->live * size_class_bytes(class);
        sum->allocs += counts->allocs;
        sum->misses += counts->misses;
    }
    sums[KIND_HUGE].live_bytes = stats->totals.huge;
}

static void print_kinds(struct sink *sink, const struct kind_sums *sums, bool is_openmetrics)
{
    static const struct {
        struct family family;
        uint32_t offset; /* in struct kind_sums */
    } by_kind[] = {
        {{.name = "kind_live_blocks", .unit = "", .help = "Blocks the program holds, by kind."},
         offsetof(struct kind_sums, live_blocks)},
        {{.name = "kind_live", .unit = "bytes", .help = "Bytes of live blocks, by kind."},
         offsetof(struct kind_sums, live_bytes)},
        {{.name = "kind_allocs", .unit = "", .help = "Allocations, by kind.", .is_counter = true},
         offsetof(struct kind_sums, allocs)},
        {{.name = "kind_misses",
          .unit = "",
          .help = "Allocations for which the thread's cache had nothing at hand, by kind.",
          .is_counter = true},
         offsetof(struct kind_sums, misses)},
    };
    for (unsigned i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++) {
        struct family family = by_kind[i].family;
        family.is_openmetrics = is_openmetrics;
        print_heads(sink_line(sink), &family);
        for (unsigned kind = KIND_TINY; kind <= KIND_HUGE; kind++) {
            uint64_t value;
            memcpy(&value, (const char *)&sums[kind] + by_kind[i].offset, sizeof(value));
            struct text *text = print_series(sink, &family, stats_kind_name(kind));
            text_number(text, value);
            text_char(text, '\n');
        }
    }
}

/* ---- Ratios ------------------------------------------------------------------------------ */

/* part / whole with six digits behind the point; 0 when whole is 0. part: at most whole. */
static void print_ratio(struct text *text, uint64_t part, uint64_t whole)
{
    static const uint64_t million = 1000000;
    uint64_t ratio = whole == 0 ? 0 : (uint64_t)((double)part * (double)million / (double)whole);
    text_number(text, ratio / million);
    text_char(text, '.');
    for (uint64_t unit = million / 10; unit != 0; unit /= 10) {
        text_number(text, ratio / unit % 10);
    }
    text_char(text, '\n');
}

static void print_hit_ratios(struct sink *sink, const struct kind_sums *sums, bool is_openmetrics)
{
    struct family family = {
        .name = "cache_hit",
        .unit = "ratio",
        .help = "Share of allocations that a thread's cache served at once, by kind.",
        .is_openmetrics = is_openmetrics,
    };
    print_heads(sink_line(sink), &family);
    for (unsigned kind = KIND_TINY; kind <= KIND_NORMAL; kind++) {
        const struct kind_sums *sum = &sums[kind];
        print_ratio(print_series(sink, &family, stats_kind_name(kind)), sum->allocs - sum->misses,
                    sum->allocs);
    }
}

static void print_fragmentation(struct sink *sink, const struct stats_totals *totals,
                                bool is_openmetrics)
{
    struct family family = {
        .name = "fragmentation",
        .unit = "ratio",
        .help = "Share of active that is not allocated: free slots, cached or not.",
        .is_openmetrics = is_openmetrics,
    };
    print_heads(sink_line(sink), &family);
    print_ratio(print_series(sink, &family, NULL), totals->active - totals->allocated,
                totals->active);
}

void stats_print_prometheus(struct sink *sink, const struct stats *stats, bool is_openmetrics)
{
    struct kind_sums sums[KIND_HUGE + 1] = {0};
    sum_kinds(stats, sums);
    print_totals(sink, &stats->totals, is_openmetrics);
    print_kinds(sink, sums, is_openmetrics);
    print_hit_ratios(sink, sums, is_openmetrics);
    print_fragmentation(sink, &stats->totals, is_openmetrics);
    text_string(sink_line(sink), "# EOF\n");
    sink_flush(sink);
}
