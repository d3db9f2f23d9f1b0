/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_print.h"

enum { LABEL_COLUMNS = 34, AMOUNT_COLUMNS = 12, BYTES_COLUMNS = 16 };

/* ---- Waterfall --------------------------------------------------------------------------- */

enum {
    PART_IN_USE,
    PART_ROUNDING,
    PART_THREAD_CACHES,
    PART_DEPOTS,
    PART_FREE_SLOTS,
    PART_FREE_PAGES,
    PART_METADATA,
    PART_COUNT,
};

/* The parts of resident memory, and what to say when one of them is the largest. */
static const struct part {
    const char *label;
    uint32_t offset; /* in struct stats_totals */
    const char *verdict;
} parts[PART_COUNT] = {
    [PART_IN_USE] = {"in use by the program", offsetof(struct stats_totals, in_use),
                     "in use by the program."},
    [PART_ROUNDING] = {"rounding up to size classes", offsetof(struct stats_totals, rounding),
                       "rounding: blocks are smaller than the slots of their size classes."},
    [PART_THREAD_CACHES] =
        {"free slots in thread caches", offsetof(struct stats_totals, thread_caches),
         "free slots in the caches of threads; a smaller cache_bytes bounds them."},
    [PART_DEPOTS] = {"free slots in depots", offsetof(struct stats_totals, depots),
                     "free slots in depots; they age out, and a smaller cache_bytes bounds them."},
    [PART_FREE_SLOTS] = {"free slots in subpages", offsetof(struct stats_totals, free_slots),
                         "free slots of subpages that live blocks hold in place: fragmentation."},
    [PART_FREE_PAGES] =
        {"free pages, not yet purged", offsetof(struct stats_totals, free_pages),
         "free pages not yet purged; a smaller decay_ms or malloc_trim gives them back."},
    [PART_METADATA] = {"metadata", offsetof(struct stats_totals, metadata),
                       "the allocator's own structures: the program holds little."},
};

static uint64_t part_bytes(const struct stats *stats, const struct part *part)
{
    uint64_t bytes;
    memcpy(&bytes, (const char *)&stats->totals + part->offset, sizeof(bytes));
    return bytes;
}

/* Bytes of a part that are resident, as far as one can tell: what nobody has written to yet is the
 * program's in huge blocks, elsewhere free slots before it is the program's. */
static uint64_t part_resident(const struct stats *stats, unsigned index)
{
    const struct stats_totals *totals = &stats->totals;
    uint64_t bytes = part_bytes(stats, &parts[index]);
    uint64_t of_runs = totals->untouched - totals->untouched_huge;
    uint64_t of_slots = of_runs < totals->free_slots ? of_runs : totals->free_slots;
    uint64_t untouched = index == PART_IN_USE       ? totals->untouched - of_slots
                         : index == PART_FREE_SLOTS ? of_slots
                                                    : 0;
    return bytes > untouched ? bytes - untouched : 0;
}

static const struct part *largest_part(const struct stats *stats, uint64_t *largest_bytes)
{
    unsigned largest = 0;
    for (unsigned i = 1; i < PART_COUNT; i++) {
        if (part_resident(stats, i) > part_resident(stats, largest)) {
            largest = i;
        }
    }
    *largest_bytes = part_resident(stats, largest);
    return &parts[largest];
}

const char *stats_verdict(const struct stats *stats)
{
    uint64_t bytes;
    return largest_part(stats, &bytes)->verdict;
}

static void print_amount(struct text *text, uint64_t bytes, unsigned columns)
{
    char space[32];
    struct text amount = text_over(space, sizeof(space) - 1);
    text_bytes(&amount, bytes);
    space[amount.length] = '\0';
    text_string_padded(text, space, columns);
}

static void print_row(struct sink *sink, const char *sign, const char *label, uint64_t bytes)
{
    struct text *text = sink_line(sink);
    size_t line_start = text->length;
    text_string(text, sign);
    text_string(text, label);
    text_column(text, line_start, LABEL_COLUMNS);
    print_amount(text, bytes, AMOUNT_COLUMNS);
    text_number_padded(text, bytes, BYTES_COLUMNS);
    text_char(text, '\n');
}

static void print_verdict(struct sink *sink, const struct stats *stats)
{
    struct text *text = sink_line(sink);
    uint64_t bytes;
    const struct part *largest = largest_part(stats, &bytes);
    bool is_most = bytes > stats->totals.resident / 2;
    text_string(text, is_most ? "Most" : "The largest part");
    text_string(text, " of the resident memory (");
    text_percent(text, bytes, stats->totals.resident);
    text_string(text, " %) is ");
    text_string(text, largest->verdict);
    text_char(text, '\n');
}

void stats_print_waterfall(struct sink *sink, const struct stats *stats)
{
    const struct stats_totals *totals = &stats->totals;
    for (unsigned i = 0; i < PART_COUNT; i++) {
        print_row(sink, i == 0 ? "  " : "+ ", parts[i].label, part_bytes(stats, &parts[i]));
    }
    print_row(sink, "- ", "handed out, not touched yet", totals->untouched);
    print_row(sink, "= ", stats->residency_is_known ? "resident" : "resident, as far as known",
              totals->resident);
    print_row(sink, "+ ", "addresses without memory", totals->retained);
    print_row(sink, "= ", "mapped", totals->mapped);
    print_verdict(sink, stats);
}

/* ---- Tables ------------------------------------------------------------------------------ */

/* Widths add up to at most the 80 columns of a terminal. */
struct column {
    const char *head;
    unsigned width;
};

/* A wider number moves the rest of its row, but stays apart from what is before it. */
static void put_text(struct text *text, const struct column *column, const char *value)
{
    text_char(text, ' ');
    text_string_padded(text, value, column->width - 1);
}

static void put_number(struct text *text, const struct column *column, uint64_t value)
{
    text_char(text, ' ');
    text_number_padded(text, value, column->width - 1);
}

static void put_percent(struct text *text, const struct column *column, uint64_t part,
                        uint64_t whole)
{
    char space[32];
    struct text percent = text_over(space, sizeof(space) - 1);
    text_percent(&percent, part, whole);
    space[percent.length] = '\0';
    put_text(text, column, space);
}

static void put_heads(struct text *text, const struct column *columns, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put_text(text, &columns[i], columns[i].head);
    }
    text_char(text, '\n');
}

/* ---- Size classes ------------------------------------------------------------------------ */

static const struct column class_columns[] = {
    {"class", 9},  {"live", 9},   {"subpages", 9},  {"use %", 6}, {"free", 8},
    {"cached", 8}, {"depots", 8}, {"requests", 11}, {"hit %", 6}, {"waits", 6},
};

static void print_class(struct sink *sink, const struct stats *stats, unsigned class)
{
    const struct stats_class *counts = &stats->classes[class];
    const struct column *column = class_columns;
    struct text *text = sink_line(sink);
    if (class == CLASS_HUGE) {
        put_text(text, column++, "huge");
    } else {
        put_number(text, column++, size_class_bytes(class));
    }
    put_number(text, column++, counts->live);
    put_number(text, column++, counts->runs);
    put_percent(text, column++, counts->live, stats_class_slots(counts));
    put_number(text, column++, counts->free_slots);
    put_number(text, column++, counts->cached_slots);
    put_number(text, column++, counts->depot_slots);
    put_number(text, column++, counts->allocs);
    put_percent(text, column++, counts->allocs - counts->misses, counts->allocs);
    put_number(text, column, counts->lock_waits);
    text_char(text, '\n');
}

static void print_classes(struct sink *sink, const struct stats *stats)
{
    text_char(sink_line(sink), '\n');
    put_heads(sink_line(sink), class_columns, sizeof(class_columns) / sizeof(class_columns[0]));
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        if (stats->classes[class].runs != 0 || stats->classes[class].allocs != 0) {
            print_class(sink, stats, class);
        }
    }
}

/* ---- Arenas ------------------------------------------------------------------------------ */

static void print_arena_limit(struct sink *sink, const struct stats_totals *totals,
                              bool is_configured)
{
    struct text *text = sink_line(sink);
    text_char(text, '\n');
    text_number(text, totals->arenas);
    text_string(text, totals->arenas == 1 ? " arena" : " arenas");
    if (totals->arenas_allowed != 0) {
        text_string(text, " of at most ");
        text_number(text, totals->arenas_allowed);
        text_string(text, is_configured ? " as configured (" : " (");
        text_string(text, "affinity: ");
        text_number(text, totals->affinity_cpus);
        text_string(text, totals->affinity_cpus == 1 ? " CPU" : " CPUs");
        if (totals->quota_cpus != 0) {
            text_string(text, ", cpu.max: ");
            text_number(text, totals->quota_cpus);
        }
        text_char(text, ')');
    }
    text_string(text, ", ");
    text_number(text, totals->threads);
    text_string(text, totals->threads == 1 ? " thread" : " threads");
    text_string(text, "; chunks by use, init to 100%\n");
}

static const struct column arena_columns[] = {
    {"arena", 6}, {"threads", 8}, {"init", 5},    {"0%", 4},    {"25%", 4},     {"50%", 4},
    {"75%", 4},   {"100%", 5},    {"active", 11}, {"free", 11}, {"purged", 11}, {"waits", 6},
};

static void print_arena(struct sink *sink, const struct stats_arena *arena, unsigned index)
{
    const struct column *column = arena_columns;
    struct text *text = sink_line(sink);
    put_number(text, column++, index);
    put_number(text, column++, arena->threads);
    for (unsigned i = 0; i < USAGE_LIST_COUNT; i++) {
        put_number(text, column++, arena->chunks_by_usage[i]);
    }
    print_amount(text, arena->active_bytes, (column++)->width);
    print_amount(text, arena->free_pages_bytes, (column++)->width);
    print_amount(text, arena->purged_bytes, (column++)->width);
    put_number(text, column, arena->lock_waits);
    text_char(text, '\n');
}

static void print_arenas(struct sink *sink, const struct stats *stats)
{
    print_arena_limit(sink, &stats->totals, stats->arena_count_is_configured);
    put_heads(sink_line(sink), arena_columns, sizeof(arena_columns) / sizeof(arena_columns[0]));
    for (unsigned i = 0; i < stats->totals.arenas; i++) {
        print_arena(sink, &stats->arenas[i], i);
    }
}

/* ---- The whole --------------------------------------------------------------------------- */

static void print_peak(struct sink *sink, const struct stats_totals *totals)
{
    struct text *text = sink_line(sink);
    uint64_t idle = totals->peak_active > totals->peak_allocated
                        ? totals->peak_active - totals->peak_allocated
                        : 0;
    text_string(text, "\nAt its peak ");
    text_bytes(text, totals->peak_active);
    text_string(text, " of pages held ");
    text_bytes(text, totals->peak_allocated);
    text_string(text, " of live blocks: fragmentation ");
    text_percent(text, idle, totals->peak_active);
    text_string(text, " %, caches included.\n");
}

static void print_head(struct sink *sink, const struct stats *stats)
{
    struct text *text = sink_line(sink);
    text_string(text, "poolmalloc: memory of process ");
    text_number(text, stats->process_id);
    text_char(text, '\n');
}

void stats_print_text(struct sink *sink, const struct stats *stats)
{
    print_head(sink, stats);
    stats_print_waterfall(sink, stats);
    print_classes(sink, stats);
    print_arenas(sink, stats);
    print_peak(sink, &stats->totals);
    sink_flush(sink);
}

void stats_print(struct sink *sink, const struct stats *stats, enum stats_format format)
{
    switch (format) {
    case STATS_TEXT:
        stats_print_text(sink, stats);
        break;
    case STATS_JSON:
        stats_print_json(sink, stats);
        break;
    case STATS_PROMETHEUS:
    case STATS_OPENMETRICS:
        stats_print_prometheus(sink, stats, format == STATS_OPENMETRICS);
        break;
    }
}
