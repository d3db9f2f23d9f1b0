/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame.h"

#include "say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BAR_MARGIN = 2, PARTS_PER_LINE = 3 };

static void put(struct frame *frame, enum line_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(struct frame *frame, enum line_kind kind, const char *format, ...)
{
    va_list arguments;
    if (frame->count == FRAME_LINES) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(frame->lines[frame->count].text, FRAME_COLUMNS, format, arguments);
    va_end(arguments);
    frame->lines[frame->count++].kind = kind;
}

/* ---- Totals ------------------------------------------------------------------------------ */

struct part {
    char letter;
    const char *label;
    uint64_t bytes;
};

enum { PART_COUNT = sizeof(FRAME_BAR_LETTERS) - 1 };

static void make_parts(const struct view *view, struct part *parts)
{
    struct resident_parts bytes = view_parts(view);
    const struct part made[PART_COUNT] = {
        {'u', "in use", bytes.in_use},
        {'r', "rounding", bytes.rounding},
        {'c', "thread caches", bytes.thread_caches},
        {'d', "depots", bytes.depots},
        {'s', "free slots", bytes.free_slots},
        {'f', "free pages", bytes.free_pages},
        {'m', "metadata", bytes.metadata},
    };
    memcpy(parts, made, sizeof(made));
}

static void put_bar(struct frame *frame, const struct top *top, const struct part *parts)
{
    char bar[FRAME_COLUMNS] = "";
    uint64_t whole = 0;
    uint64_t sum = 0;
    unsigned columns = top->columns > FRAME_COLUMNS ? FRAME_COLUMNS : top->columns;
    unsigned width = columns > 2 * BAR_MARGIN ? columns - 2 * BAR_MARGIN : 0;
    unsigned at = 0;
    for (unsigned i = 0; i < PART_COUNT; i++) {
        whole += parts[i].bytes;
    }
    for (unsigned i = 0; whole != 0 && i < PART_COUNT; i++) {
        sum += parts[i].bytes;
        while (at < width && at * whole < sum * width) {
            bar[at++] = parts[i].letter;
        }
    }
    put(frame, LINE_BAR, "%*s%s", BAR_MARGIN, "", bar);
}

static void put_parts(struct frame *frame, const struct part *parts)
{
    char line[FRAME_COLUMNS] = "";
    size_t length = 0;
    for (unsigned i = 0; i < PART_COUNT; i++) {
        int printed = snprintf(line + length, sizeof(line) - length, "  %c %-13s%9s",
                               parts[i].letter, parts[i].label, show_bytes(parts[i].bytes).text);
        length += (size_t)printed;
        if (i % PARTS_PER_LINE == PARTS_PER_LINE - 1 || i + 1 == PART_COUNT) {
            put(frame, LINE_KEY, "%s", line);
            length = 0;
        }
    }
}

/* A counter's growth in a second. */
static struct shown rate(const struct top *top, uint64_t before, uint64_t now)
{
    if (top->seconds <= 0) {
        return (struct shown){"-"};
    }
    return show_count(now > before ? (double)(now - before) / top->seconds : 0);
}

static void put_totals(struct frame *frame, const struct top *top)
{
    const struct stats_totals *now = &top->view->stats.totals;
    const struct stats_totals *before = &top->before.totals;
    struct part parts[PART_COUNT];
    make_parts(top->view, parts);
    put(frame, LINE_PLAIN, "  resident %s of %s mapped, %s live blocks in %llu chunks",
        show_bytes(now->resident).text, show_bytes(now->mapped).text,
        show_count((double)now->live_blocks).text, (unsigned long long)now->chunks);
    put_bar(frame, top, parts);
    put_parts(frame, parts);
    double purged = top->seconds > 0 && now->purged > before->purged
                        ? (double)(now->purged - before->purged) / top->seconds
                        : 0;
    put(frame, LINE_PLAIN,
        "  a second: %s allocs, %s missed the cache, %s refills, %s flushes, %s lock waits, %s "
        "purged",
        rate(top, before->allocs, now->allocs).text, rate(top, before->misses, now->misses).text,
        rate(top, before->refills, now->refills).text,
        rate(top, before->flushes, now->flushes).text,
        rate(top, before->lock_waits, now->lock_waits).text, show_bytes((uint64_t)purged).text);
}

static void put_title(struct frame *frame, const struct top *top)
{
    const struct view *view = top->view;
    char when[16];
    time_t now = time(NULL);
    struct tm local;
    strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&now, &local));
    put(frame, LINE_TITLE, "poolmalloc top  %s (%d)  %s  %llu threads, %llu arenas",
        view->process.name, (int)view->process.pid, when,
        (unsigned long long)view->stats.totals.threads,
        (unsigned long long)view->stats.totals.arenas);
}

/* ---- Tables ------------------------------------------------------------------------------ */

static uint64_t class_pages_bytes(const struct stats *stats, unsigned class)
{
    return class == CLASS_HUGE
               ? stats->totals.huge
               : stats->classes[class].runs * size_classes[class].run_pages * (uint64_t)PAGE_BYTES;
}

struct ranked {
    uint64_t value;
    unsigned class;
};

static int by_value(const void *left, const void *right)
{
    uint64_t a = ((const struct ranked *)left)->value;
    uint64_t b = ((const struct ranked *)right)->value;
    return (a < b) - (a > b);
}

static void put_class(struct frame *frame, const struct top *top, unsigned class)
{
    const struct stats *stats = &top->view->stats;
    const struct stats_class *now = &stats->classes[class];
    const struct stats_class *before = &top->before.classes[class];
    uint64_t slots = stats_class_slots(now);
    uint64_t bytes = size_class_bytes(class);
    put(frame, LINE_PLAIN, "  %9s %9s %9s %6.0f %% %9s %9s %8s %8s %8s %8s",
        class == CLASS_HUGE ? "huge" : show_bytes(bytes).text,
        show_bytes(class_pages_bytes(stats, class)).text, show_count((double)now->live).text,
        slots == 0 ? 100.0 : 100.0 * (double)now->live / (double)slots,
        show_bytes(now->cached_slots * bytes).text, show_bytes(now->depot_slots * bytes).text,
        rate(top, before->allocs, now->allocs).text, rate(top, before->misses, now->misses).text,
        rate(top, before->refills, now->refills).text,
        rate(top, before->lock_waits, now->lock_waits).text);
}

static void put_classes(struct frame *frame, const struct top *top)
{
    struct ranked ranked[CLASS_COUNT];
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        ranked[class] = (struct ranked){class_pages_bytes(&top->view->stats, class), class};
    }
    qsort(ranked, CLASS_COUNT, sizeof(ranked[0]), by_value);
    put(frame, LINE_HEAD, "  %9s %9s %9s %8s %9s %9s %8s %8s %8s %8s", "CLASS", "PAGES", "LIVE",
        "IN USE", "CACHED", "DEPOT", "ALLOC/s", "MISS/s", "REFILL/s", "WAIT/s");
    for (unsigned i = 0; i < CLASS_COUNT && ranked[i].value != 0; i++) {
        put_class(frame, top, ranked[i].class);
    }
}

static void put_arenas(struct frame *frame, const struct top *top)
{
    put(frame, LINE_HEAD, "  %5s %7s %6s %29s %9s %9s %9s %8s", "ARENA", "THREADS", "CHUNKS",
        "BY USE: INIT 0 25 50 75 100", "ACTIVE", "FREE", "PURGED", "WAIT/s");
    for (unsigned i = 0; i < top->view->stats.totals.arenas && i < ARENA_MAX_COUNT; i++) {
        const struct stats_arena *arena = &top->view->stats.arenas[i];
        char usage[64] = "";
        size_t length = 0;
        for (unsigned j = 0; j < USAGE_LIST_COUNT; j++) {
            length += (size_t)snprintf(usage + length, sizeof(usage) - length, " %llu",
                                       (unsigned long long)arena->chunks_by_usage[j]);
        }
        put(frame, LINE_PLAIN, "  %5u %7llu %6llu %29s %9s %9s %9s %8s", i,
            (unsigned long long)arena->threads, (unsigned long long)arena->chunks, usage,
            show_bytes(arena->active_bytes).text, show_bytes(arena->free_pages_bytes).text,
            show_bytes(arena->purged_bytes).text,
            rate(top, top->before.arenas[i].lock_waits, arena->lock_waits).text);
    }
}

/* The threads with the most cached bytes, kept sorted. */
enum { THREADS_SHOWN = 300 };

struct thread_list {
    unsigned total;
    unsigned count;
    struct thread_view threads[THREADS_SHOWN];
};

static void keep_thread(void *context, struct thread_view thread)
{
    struct thread_list *list = context;
    bool is_full = list->count == THREADS_SHOWN;
    unsigned at = is_full ? THREADS_SHOWN - 1 : list->count++;
    list->total++;
    if (is_full && list->threads[at].cached_bytes > thread.cached_bytes) {
        return;
    }
    for (; at > 0 && list->threads[at - 1].cached_bytes < thread.cached_bytes; at--) {
        list->threads[at] = list->threads[at - 1];
    }
    list->threads[at] = thread;
}

static void thread_name(const struct view *view, uint32_t thread_id, char *name, size_t capacity)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", (int)view->process.pid, thread_id);
    FILE *file = fopen(path, "re");
    name[0] = '\0';
    if (file != NULL) {
        if (fgets(name, (int)capacity, file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(file);
    }
}

static void put_threads(struct frame *frame, const struct top *top)
{
    static struct thread_list list;
    list.count = 0;
    list.total = 0;
    view_threads(top->view, keep_thread, &list);
    put(frame, LINE_HEAD, "  %8s %-16s %6s %10s %12s", "THREAD", "NAME", "ARENA", "CACHED",
        "SLOW CALLS");
    for (unsigned i = 0; i < list.count; i++) {
        const struct thread_view *thread = &list.threads[i];
        char name[32];
        thread_name(top->view, thread->os_thread_id, name, sizeof(name));
        put(frame, LINE_PLAIN, "  %8u %-16s %6u %10s %12s", thread->os_thread_id, name,
            thread->arena, show_bytes(thread->cached_bytes).text,
            show_count((double)thread->slow_calls).text);
    }
    if (list.total > list.count) {
        put(frame, LINE_PLAIN, "  and %u more, with less cached", list.total - list.count);
    }
}

void frame_compose(struct frame *frame, const struct top *top)
{
    frame->count = 0;
    put_title(frame, top);
    put_totals(frame, top);
    put(frame, LINE_PLAIN, "%s", "");
    switch (top->table) {
    case TOP_ARENAS:
        put_arenas(frame, top);
        break;
    case TOP_THREADS:
        put_threads(frame, top);
        break;
    default:
        put_classes(frame, top);
    }
}
