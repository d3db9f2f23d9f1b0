/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc map: the heap of a running process as a page of HTML. Every page of every chunk is
 * handed to the page's script in four bytes, which draws them. */
#include "commands.h"

#include "page.h"
#include "say.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

PAGE_TEMPLATE(map_template, "src/cli/map.html");

static const char help[] =
    "usage: poolmalloc map PID [FILE]\n"
    "Draws the heap of a running process into an HTML page that needs nothing else: chunks by\n"
    "pages, coloured by size class and use, with the buddy tree of each.\n"
    "FILE is poolmalloc-map-PID.html, or - for standard output.\n";

/* What a page of a chunk is, for the script; map.html has the same order. */
enum page_mark { MARK_CLEAN, MARK_DIRTY, MARK_WITHDRAWN, MARK_SUBPAGE, MARK_RUN, MARK_TAIL };

struct page_record {
    uint8_t mark;     /* enum page_mark */
    uint8_t class;    /* subpages and runs */
    uint8_t taken[2]; /* slots of a subpage, low byte first; pages of a run */
};

static struct page_record record_of(const struct chunk *chunk, unsigned index)
{
    const struct page *page = &chunk->pages[index];
    unsigned class = page->class < CLASS_COUNT ? page->class : CLASS_NONE;
    unsigned slots = size_classes[class].slot_count;
    unsigned taken = slots > page->free_count ? slots - page->free_count : 0;
    if (!bitmap_test(chunk->in_use, index)) {
        return (struct page_record){.mark =
                                        bitmap_test(chunk->dirty, index) ? MARK_DIRTY : MARK_CLEAN};
    }
    switch ((enum page_state)page->state) {
    case PAGE_SUBPAGE:
        return (struct page_record){
            MARK_SUBPAGE, (uint8_t) class, {(uint8_t)taken, (uint8_t)(taken >> 8)}};
    case PAGE_RUN:
        return (struct page_record){
            MARK_RUN, (uint8_t) class, {(uint8_t)page->run_pages, (uint8_t)(page->run_pages >> 8)}};
    default:
        return (struct page_record){.mark = MARK_WITHDRAWN};
    }
}

/* A subpage's and a run's further pages follow their first one. */
static void fill_records(const struct chunk *chunk, struct page_record *records)
{
    unsigned index = 0;
    while (index < CHUNK_PAGES) {
        struct page_record first = record_of(chunk, index);
        unsigned pages = first.mark < MARK_SUBPAGE ? 1 : chunk->pages[index].run_pages;
        unsigned end = index + (pages == 0 ? 1 : pages);
        records[index++] = first;
        for (; index < end && index < CHUNK_PAGES; index++) {
            records[index] = first;
            records[index].mark = MARK_TAIL;
        }
    }
}

static void put_base64(FILE *out, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < length ? bytes[i + 2] : 0;
        fputc(digits[group >> 18], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(i + 1 < length ? digits[group >> 6 & 63] : '=', out);
        fputc(i + 2 < length ? digits[group & 63] : '=', out);
    }
}

struct map_output {
    FILE *out;
    const char *separator;
};

static void put_chunk(void *context, struct chunk_view view)
{
    struct map_output *output = context;
    struct page_record records[CHUNK_PAGES];
    fill_records(view.chunk, records);
    fprintf(output->out, "%s{\"arena\":%u,\"base\":\"%p\",\"pages\":\"", output->separator,
            view.arena, (const void *)view.chunk->base);
    put_base64(output->out, (const uint8_t *)records, sizeof(records));
    fputs("\"}", output->out);
    output->separator = ",\n";
}

static void put_huge(void *context, struct huge huge)
{
    struct map_output *output = context;
    fprintf(output->out, "%s[\"%p\",%zu]", output->separator, huge.start, huge.bytes);
    output->separator = ",";
}

static void put_classes(FILE *out)
{
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        fprintf(out, "%s[%zu,%u,%u]", class == 0 ? "" : ",", size_class_bytes(class),
                size_classes[class].slot_count, size_classes[class].run_pages);
    }
}

static void put_map(FILE *out, const void *data)
{
    const struct view *view = data;
    char when[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
    fprintf(out, "{\"pid\":%d,\"when\":\"%s\",\"name\":", (int)view->process.pid, when);
    put_json(out, view->process.name);
    fprintf(out,
            ",\"pageBytes\":%d,\"chunkPages\":%d,\"tinyLast\":%d,\"smallLast\":%d,"
            "\"resident\":%llu,\"threads\":%llu,\"classes\":[",
            PAGE_BYTES, CHUNK_PAGES, CLASS_TINY_LAST, CLASS_SMALL_LAST,
            (unsigned long long)view->stats.totals.resident,
            (unsigned long long)view->stats.totals.threads);
    put_classes(out);
    fputs("],\"chunks\":[", out);
    view_chunks(view, put_chunk, &(struct map_output){out, "\n"});
    fputs("],\"huge\":[", out);
    view_huge(view, put_huge, &(struct map_output){out, ""});
    fputs("]}", out);
}

int command_map(int argc, char **argv)
{
    static struct view view;
    char own_name[64];
    if (wants_help(argc, argv)) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc < 2 || argc > 3) {
        die(EXIT_USAGE, "usage: poolmalloc map PID [FILE]");
    }
    view_open(&view, "map", argv[1]);
    view_update(&view);
    snprintf(own_name, sizeof(own_name), "poolmalloc-map-%d.html", (int)view.process.pid);
    const char *path = argc == 3 ? argv[2] : own_name;
    page_save(path, map_template, put_map, &view);
    if (strcmp(path, "-") != 0) {
        printf("%s: %llu chunks, %llu huge blocks; open it in a browser\n", path,
               (unsigned long long)view.stats.totals.chunks,
               (unsigned long long)view.stats.classes[CLASS_HUGE].live);
    }
    return EXIT_SUCCESS;
}
