/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What glibc's reporting calls say, in our figures, for programs and monitors that call them.
 *
 *     glibc     here
 *     arena     pages in use and free pages that are resident, without huge blocks
 *     ordblks   free slots                        smblks    slots in thread caches and depots
 *     hblks     huge blocks                       fsmblks   bytes of those slots
 *     hblkhd    bytes of huge blocks              uordblks  bytes of live blocks below 16 MiB
 *     keepcost  bytes of free resident pages      fordblks  arena - uordblks
 *     usmblks   0, as in glibc
 */
#include "poolmalloc.h"

#include "compiler.h"
#include "os.h"
#include "stats_report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* As in <malloc.h>, which not every libc has in full. */
struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

PUBLIC struct mallinfo2 mallinfo2(void);
PUBLIC struct mallinfo mallinfo(void);
PUBLIC void malloc_stats(void);
PUBLIC int malloc_info(int options, FILE *stream);

/* Slots that no block uses, of all classes. */
struct free_slots {
    uint64_t in_subpages;
    uint64_t in_caches; /* of threads, and depots */
};

static struct free_slots count_free_slots(const struct stats *stats)
{
    struct free_slots counts = {0};
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        const struct stats_class *of_class = &stats->classes[class];
        counts.in_subpages += of_class->free_slots;
        counts.in_caches += of_class->cached_slots + of_class->depot_slots;
    }
    return counts;
}

struct mallinfo2 mallinfo2(void)
{
    const struct stats *stats = stats_acquire();
    const struct stats_totals *totals = &stats->totals;
    struct free_slots free_slots = count_free_slots(stats);
    struct mallinfo2 info = {
        .arena = totals->active - totals->huge + totals->free_pages,
        .ordblks = free_slots.in_subpages,
        .smblks = free_slots.in_caches,
        .hblks = stats->classes[CLASS_HUGE].live,
        .hblkhd = totals->huge,
        .fsmblks = totals->thread_caches + totals->depots,
        .uordblks = totals->allocated - totals->huge,
        .keepcost = totals->free_pages,
    };
    stats_release();
    info.fordblks = info.arena - info.uordblks;
    return info;
}

/* What does not fit an int is the largest int: better a floor than a wrapped number. */
static int clamped(size_t value)
{
    return value < INT_MAX ? (int)value : INT_MAX;
}

struct mallinfo mallinfo(void)
{
    struct mallinfo2 info = mallinfo2();
    return (struct mallinfo){
        .arena = clamped(info.arena),
        .ordblks = clamped(info.ordblks),
        .smblks = clamped(info.smblks),
        .hblks = clamped(info.hblks),
        .hblkhd = clamped(info.hblkhd),
        .fsmblks = clamped(info.fsmblks),
        .uordblks = clamped(info.uordblks),
        .fordblks = clamped(info.fordblks),
        .keepcost = clamped(info.keepcost),
    };
}

void malloc_stats(void)
{
    pm_dump("text");
}

/* ---- malloc_info: glibc's XML ------------------------------------------------------------ */

static void print_attribute(struct text *text, const char *name, uint64_t value)
{
    text_char(text, ' ');
    text_string(text, name);
    text_string(text, "=\"");
    text_number(text, value);
    text_char(text, '"');
}

/* Enough for a line of every small class and all sums. */
enum { INFO_BYTES = 12 << 10 };

#define NO_COUNT UINT64_MAX

static void print_total(struct text *text, const char *head, uint64_t count, uint64_t bytes)
{
    text_string(text, head);
    if (count != NO_COUNT) {
        print_attribute(text, "count", count);
    }
    print_attribute(text, "size", bytes);
    text_string(text, "/>\n");
}

/* Free slots by class, as glibc lists its free chunks by size. */
static void print_sizes(struct text *text, const struct stats *stats)
{
    text_string(text, "<sizes>\n");
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        uint64_t count = stats->classes[class].free_slots;
        if (count != 0) {
            text_string(text, "  <size");
            print_attribute(text, "from", size_class_bytes(class - 1) + 1);
            print_attribute(text, "to", size_class_bytes(class));
            print_attribute(text, "total", count * size_class_bytes(class));
            print_attribute(text, "count", count);
            text_string(text, "/>\n");
        }
    }
    text_string(text, "</sizes>\n");
}

/* The same lines close a heap and the whole. */
static void print_sums(struct text *text, const struct stats *stats)
{
    const struct stats_totals *totals = &stats->totals;
    struct free_slots free_slots = count_free_slots(stats);
    uint64_t heap_bytes = totals->active - totals->huge + totals->free_pages;
    uint64_t heap_peak = heap_bytes > totals->peak_active ? heap_bytes : totals->peak_active;
    print_total(text, "<total type=\"fast\"", free_slots.in_caches,
                totals->thread_caches + totals->depots);
    print_total(text, "<total type=\"rest\"", free_slots.in_subpages,
                totals->free_slots + totals->free_pages);
    print_total(text, "<total type=\"mmap\"", stats->classes[CLASS_HUGE].live, totals->huge);
    print_total(text, "<system type=\"current\"", NO_COUNT, heap_bytes);
    print_total(text, "<system type=\"max\"", NO_COUNT, heap_peak);
    print_total(text, "<aspace type=\"total\"", NO_COUNT, totals->chunks * CHUNK_BYTES);
    print_total(text, "<aspace type=\"mprotect\"", NO_COUNT, totals->chunks * CHUNK_BYTES);
}

/* One heap: our arenas share the size classes. */
static void print_info(struct text *text, const struct stats *stats)
{
    text_string(text, "<malloc version=\"1\">\n<heap nr=\"0\">\n");
    print_sizes(text, stats);
    print_sums(text, stats);
    text_string(text, "</heap>\n");
    print_sums(text, stats);
    text_string(text, "</malloc>\n");
}

/* Written in one go after all is put together: the stream has a lock of its own, and its owner may
 * be waiting for ours. */
int malloc_info(int options, FILE *stream)
{
    char space[INFO_BYTES];
    struct text text = text_over(space, sizeof(space));
    if (options != 0) {
        return EINVAL;
    }
    print_info(&text, stats_acquire());
    stats_release();
    fwrite(space, 1, text.length, stream);
    return 0;
}
