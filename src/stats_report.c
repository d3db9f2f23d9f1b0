/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_report.h"

#include "os.h"
#include "panic.h"
#include "report_file.h"

#include <errno.h>
#include <unistd.h>

/* What is wanted; const after stats_report_load. */
static struct {
    bool is_wanted;
    enum stats_format format;
    const char *path; /* in the environment */
    uint32_t process_id;
} request;

static struct {
    struct mutex lock; /* guards all below */
    struct stats stats;
    struct sink sink;
    struct report_file file;
} report;

/* ---- Collecting -------------------------------------------------------------------------- */

/* Word by word: owners go on writing, and a word is never torn. */
NO_SANITIZE_THREAD static bool read_here(struct reader *reader, const void *address, void *target,
                                         size_t bytes)
{
    (void)reader;
    const volatile uint64_t *from_words = address;
    uint64_t *to_words = target;
    size_t words = ((uintptr_t)address | (uintptr_t)target) % sizeof(uint64_t) == 0
                       ? bytes / sizeof(uint64_t)
                       : 0;
    for (size_t i = 0; i < words; i++) {
        to_words[i] = from_words[i];
    }
    const volatile unsigned char *from_bytes = address;
    unsigned char *to_bytes = target;
    for (size_t i = words * sizeof(uint64_t); i < bytes; i++) {
        to_bytes[i] = from_bytes[i];
    }
    return true;
}

static bool resident_here(struct reader *reader, const void *start, size_t bytes, uint8_t *pages)
{
    (void)reader;
    return os_resident(start, bytes, pages);
}

static void note_peak(const struct stats_totals *totals)
{
    layout_peak.active_bytes = totals->peak_active;
    layout_peak.allocated_bytes = totals->peak_allocated;
}

static void collect_locked(void) REQUIRES(report.lock)
{
    struct reader reader = {read_here, resident_here, os_page_bytes()};
    stats_collect(&report.stats, &poolmalloc_layout, &reader);
    report.stats.process_id = os_process_id();
    report.stats.unix_seconds = os_unix_seconds();
    note_peak(&report.stats.totals);
}

const struct stats *stats_acquire(void) NO_THREAD_SAFETY_ANALYSIS
{
    mutex_lock(&report.lock);
    collect_locked();
    return &report.stats;
}

void stats_release(void) NO_THREAD_SAFETY_ANALYSIS
{
    mutex_unlock(&report.lock);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void write_to_descriptor(struct sink *sink, const char *start, size_t length)
{
    os_write(sink->descriptor, start, length);
}

static bool write_locked(enum stats_format format, const char *path) REQUIRES(report.lock)
{
    collect_locked();
    if (!report_file_open(&report.file, path)) {
        return false;
    }
    report.sink.write = write_to_descriptor;
    report.sink.descriptor = report.file.descriptor;
    sink_init(&report.sink);
    stats_print(&report.sink, &report.stats, format);
    report_file_close(&report.file);
    return true;
}

bool stats_report_write(enum stats_format format, const char *path)
{
    mutex_lock(&report.lock);
    bool done = write_locked(format, path);
    mutex_unlock(&report.lock);
    return done;
}

/* ---- When -------------------------------------------------------------------------------- */

static bool starts_with(const char *string, const char *word, const char **rest)
{
    size_t length = strlen(word);
    *rest = string + length + (string[length] == ':');
    return strncmp(string, word, length) == 0 && (string[length] == '\0' || string[length] == ':');
}

void stats_report_load(void)
{
    static const struct {
        const char *word;
        enum stats_format format;
    } words[] = {{"1", STATS_TEXT},
                 {"text", STATS_TEXT},
                 {"json", STATS_JSON},
                 {"prometheus", STATS_PROMETHEUS},
                 {"openmetrics", STATS_OPENMETRICS}};
    const char *value = os_environment("POOLMALLOC_STATS");
    if (value == NULL || value[0] == '\0' || strcmp(value, "0") == 0) {
        return;
    }
    request.process_id = os_process_id();
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (starts_with(value, words[i].word, &request.path)) {
            request.format = words[i].format;
            request.is_wanted = true;
            return;
        }
    }
    warn("POOLMALLOC_STATS must be 1, text, json, prometheus or openmetrics, and may go on with "
         ":PATH");
}

static bool is_mine(void)
{
    return request.is_wanted &&
           (os_process_id() == request.process_id || strstr(request.path, "%p") != NULL);
}

void stats_report_at_exit(void)
{
    if (is_mine() && !stats_report_write(request.format, request.path)) {
        warn("POOLMALLOC_STATS: the file cannot be written");
    }
}

void stats_report_poll(uint64_t now_ms)
{
    (void)now_ms;
}

void stats_report_abandon_lock(void)
{
    mutex_abandon(&report.lock);
}
