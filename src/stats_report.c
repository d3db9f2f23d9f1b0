/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_report.h"

#include "os.h"
#include "panic.h"
#include "purge.h"
#include "report_file.h"
#include "stats.h"

#include <errno.h>
#include <unistd.h>

/* A peak is looked at again when it grew by this share of itself. */
enum { PEAK_STEP_SHARE = 64 };

enum residency { WITHOUT_RESIDENCY, WITH_RESIDENCY };

/* What is wanted; const after stats_report_load, but for is_overdue. */
static struct {
    bool is_wanted;
    char value[REPORT_PATH_BYTES]; /* a copy: programs write over their environment */
    struct stats_request parsed;   /* its path lies in value */
    uint32_t process_id;
    atomic_bool is_overdue; /* a signal came while a report was under way */
} request;

static struct {
    struct mutex lock; /* guards all below */
    struct stats stats;
    struct sink sink;
    struct report_file file;
    uint64_t next_due_ms; /* 0: no tick yet */
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

static void collect_locked(enum residency residency) REQUIRES(report.lock)
{
    struct reader reader = {
        .read = read_here,
        .resident = residency == WITH_RESIDENCY ? resident_here : NULL,
        .os_page_bytes = os_page_bytes(),
    };
    stats_collect(&report.stats, &poolmalloc_layout, &reader);
    report.stats.process_id = os_process_id();
    report.stats.unix_seconds = os_unix_seconds();
    note_peak(&report.stats.totals);
}

const struct stats *stats_acquire(void) NO_THREAD_SAFETY_ANALYSIS
{
    mutex_lock(&report.lock);
    collect_locked(WITH_RESIDENCY);
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

static bool write_locked(const struct stats_request *wanted) REQUIRES(report.lock)
{
    collect_locked(WITH_RESIDENCY);
    if (!report_file_open(&report.file, wanted->path)) {
        return false;
    }
    report.sink.write = write_to_descriptor;
    report.sink.descriptor = report.file.descriptor;
    sink_init(&report.sink);
    stats_print(&report.sink, &report.stats, wanted->format);
    report_file_close(&report.file);
    return true;
}

bool stats_report_write(const struct stats_request *wanted)
{
    mutex_lock(&report.lock);
    bool done = write_locked(wanted);
    mutex_unlock(&report.lock);
    return done;
}

/* ---- When -------------------------------------------------------------------------------- */

static bool starts_with(const char *string, const char *word, const char **rest)
{
    size_t length = strlen(word);
    if (strncmp(string, word, length) != 0 || (string[length] != '\0' && string[length] != ':')) {
        return false;
    }
    *rest = string + length + (string[length] == ':');
    return true;
}

bool stats_request_parse(const char *value, struct stats_request *parsed)
{
    static const struct {
        const char *word;
        enum stats_format format;
    } words[] = {{"1", STATS_TEXT},
                 {"text", STATS_TEXT},
                 {"json", STATS_JSON},
                 {"prometheus", STATS_PROMETHEUS},
                 {"openmetrics", STATS_OPENMETRICS}};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (starts_with(value, words[i].word, &parsed->path)) {
            parsed->format = words[i].format;
            return true;
        }
    }
    return false;
}

/* A forked child has nothing to say where its parent speaks. */
static bool is_wanted_here(void)
{
    return request.is_wanted &&
           (os_process_id() == request.process_id || strstr(request.parsed.path, "%p") != NULL);
}

/* Never waits: it may have interrupted the thread that holds the lock. */
static void on_signal(int number)
{
    (void)number;
    int saved_errno = errno;
    if (!is_wanted_here()) {
        return;
    }
    if (mutex_try_lock(&report.lock)) {
        write_locked(&request.parsed);
        mutex_unlock(&report.lock);
    } else {
        atomic_store(&request.is_overdue, true);
    }
    errno = saved_errno;
}

COLD static void warn_about(const char *what, const char *value)
{
    char space[256];
    struct text text = text_over(space, sizeof(space) - 1);
    text_string(&text, what);
    text_char(&text, '"');
    text_string(&text, value);
    text_char(&text, '"');
    space[text.length] = '\0';
    warn(space);
}

void stats_report_load(void)
{
    const char *value = os_environment("POOLMALLOC_STATS");
    purge_after_tick = stats_report_poll;
    if (value == NULL || value[0] == '\0' || strcmp(value, "0") == 0) {
        return;
    }
    struct text copy = text_over(request.value, sizeof(request.value) - 1);
    text_string(&copy, value);
    if (!stats_request_parse(request.value, &request.parsed)) {
        warn_about("POOLMALLOC_STATS must be 1, text, json, prometheus or openmetrics, "
                   "with :PATH if wanted, not ",
                   value);
        return;
    }
    request.process_id = os_process_id();
    request.is_wanted = true;
    report_file_keep_stderr();
    if (config.stats_signal != 0 && !os_on_signal((int)config.stats_signal, on_signal)) {
        warn("stats_signal: this signal cannot be had");
    }
}

void stats_report_at_exit(void)
{
    if (is_wanted_here() && !stats_report_write(&request.parsed)) {
        warn_about("POOLMALLOC_STATS: no report, cannot write to ", request.parsed.path);
    }
}

static bool is_due_locked(uint64_t now_ms) REQUIRES(report.lock)
{
    uint64_t interval_ms = config.stats_interval * 1000;
    bool is_due = atomic_exchange(&request.is_overdue, false);
    if (interval_ms != 0 && now_ms >= report.next_due_ms) {
        is_due |= report.next_due_ms != 0; /* the first interval starts at the first tick */
        report.next_due_ms = now_ms + interval_ms;
    }
    return is_due && is_wanted_here();
}

/* Cheap enough for every tick; what it looks at is a moment's. */
NO_SANITIZE_THREAD static bool is_new_peak(void)
{
    uint64_t active_bytes = huge_totals().live_bytes;
    for (unsigned i = 0; i < arena_count(); i++) {
        active_bytes += arena_at(i)->used_pages * PAGE_BYTES;
    }
    return active_bytes > layout_peak.active_bytes + layout_peak.active_bytes / PEAK_STEP_SHARE;
}

static void trim_if_asked(void)
{
    uint32_t wanted = atomic_load_explicit(&layout_requests.trims_wanted, memory_order_relaxed);
    if (wanted != atomic_load_explicit(&layout_requests.trims_done, memory_order_relaxed)) {
        purge_all();
        atomic_store_explicit(&layout_requests.trims_done, wanted, memory_order_relaxed);
    }
}

void stats_report_poll(uint64_t now_ms)
{
    int saved_errno = errno;
    trim_if_asked();
    if (!mutex_try_lock(&report.lock)) {
        return;
    }
    if (is_due_locked(now_ms)) {
        write_locked(&request.parsed);
    } else if (is_new_peak()) {
        collect_locked(WITHOUT_RESIDENCY);
    }
    mutex_unlock(&report.lock);
    errno = saved_errno;
}

void stats_report_abandon_lock(void)
{
    mutex_abandon(&report.lock);
}
