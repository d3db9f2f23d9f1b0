/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* {"poolmalloc": {"schema": 1, ..., "totals": {}, "classes": [], "arenas": []}}
 * docs/statistics.schema.json describes it; a field may be added without a new schema number. */
#include "stats_print.h"

enum { SCHEMA = 1 };

static void print_key(struct text *text, const char *key)
{
    text_char(text, '"');
    text_string(text, key);
    text_string(text, "\":");
}

static void print_member(struct text *text, const char *key, uint64_t value)
{
    print_key(text, key);
    text_number(text, value);
}

static void print_fields(struct text *text, const void *object, const struct stat_row *table)
{
    for (const struct stat_row *row = table; row->name != NULL; row++) {
        text_char(text, ',');
        print_member(text, row->name, stat_value(object, row));
    }
}

static void print_totals(struct sink *sink, const struct stats_totals *totals)
{
    text_string(sink_line(sink), "\"totals\":{\n");
    for (const struct stat_row *row = stat_rows; row->name != NULL; row++) {
        struct text *text = sink_line(sink);
        print_member(text, row->name, stat_value(totals, row));
        text_string(text, row[1].name != NULL ? ",\n" : "},\n");
    }
}

static void print_classes(struct sink *sink, const struct stats *stats)
{
    text_string(sink_line(sink), "\"classes\":[\n");
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        struct text *text = sink_line(sink);
        text_char(text, '{');
        print_member(text, "bytes", size_class_bytes(class));
        text_char(text, ',');
        print_key(text, "kind");
        text_char(text, '"');
        text_string(text, stats_kind_name(size_class_kind(class)));
        text_char(text, '"');
        print_fields(text, &stats->classes[class], stat_class_rows);
        text_string(text, class + 1 < CLASS_COUNT ? "},\n" : "}],\n");
    }
}

static void print_arenas(struct sink *sink, const struct stats *stats)
{
    text_string(sink_line(sink), "\"arenas\":[\n");
    for (unsigned i = 0; i < stats->totals.arenas; i++) {
        const struct stats_arena *arena = &stats->arenas[i];
        struct text *text = sink_line(sink);
        text_string(text, i == 0 ? "{" : ",{");
        print_member(text, "index", i);
        print_fields(text, arena, stat_arena_rows);
        text_char(text, ',');
        print_key(text, "chunks_by_usage");
        for (unsigned usage = 0; usage < USAGE_LIST_COUNT; usage++) {
            text_char(text, usage == 0 ? '[' : ',');
            text_number(text, arena->chunks_by_usage[usage]);
        }
        text_string(text, "]}\n");
    }
    text_string(sink_line(sink), "]");
}

void stats_print_json(struct sink *sink, const struct stats *stats)
{
    struct text *text = sink_line(sink);
    text_string(text, "{\"poolmalloc\":{");
    print_member(text, "schema", SCHEMA);
    text_char(text, ',');
    print_member(text, "process_id", stats->process_id);
    text_char(text, ',');
    print_member(text, "unix_seconds", stats->unix_seconds);
    text_char(text, ',');
    print_key(text, "residency_is_known");
    text_string(text, stats->residency_is_known ? "true,\n" : "false,\n");
    print_totals(sink, &stats->totals);
    print_classes(sink, stats);
    print_arenas(sink, stats);
    text_string(sink_line(sink), "}}\n");
    sink_flush(sink);
}
