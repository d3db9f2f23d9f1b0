/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leak.h"

#include "compiler.h"
#include "config.h"
#include "os.h"
#include "text.h"
#include "mutex.h"
#include "poolmalloc.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLE_EVERY = 128, /* as Netty's default */
    TOUCHES_KEPT = 4,   /* as Netty's default */
    LINE_BYTES = 512,
};

struct touch {
    const char *what;
    const char *where;
    const void *address;
};

/* All fields are guarded by records.lock, or const. */
struct leak {
    struct leak *next;
    struct leak *previous;
    const char *where;
    size_t bytes;
    uint32_t epoch;       /* of the list it is in; const */
    uint32_t touch_count; /* so far; the last TOUCHES_KEPT are kept, by index modulo */
    bool reported;        /* in the report that is being written */
    struct touch touches[TOUCHES_KEPT];
};

static struct {
    struct mutex lock;
    struct leak *first;
    uint32_t epoch; /* lists given up so far, by forks */
} records;

static _Atomic unsigned leak_level; /* relaxed: a switch */

/* In the child: a list that a thread that is gone had in hand may be torn; it is given up. */
static void after_fork_in_child(void) NO_THREAD_SAFETY_ANALYSIS
{
    if (mutex_abandon(&records.lock)) {
        records.first = NULL;
        records.epoch++;
    }
}

PUBLIC void pm_leak_set_level(pm_leak_level level)
{
    static _Atomic bool is_registered;
    if (level != PM_LEAK_DISABLED) {
        mutex_on_fork(&is_registered, after_fork_in_child);
    }
    atomic_store_explicit(&leak_level, (unsigned)level, memory_order_relaxed);
}

static bool is_watched(unsigned level, uint32_t use_count)
{
    return level == PM_LEAK_PARANOID ||
           (level != PM_LEAK_DISABLED && use_count % SAMPLE_EVERY == 0);
}

COLD NOINLINE static struct leak *open_record(const char *where, size_t bytes)
{
    struct leak *leak = pm_calloc(1, sizeof(*leak));
    if (leak == NULL) {
        return NULL;
    }
    leak->where = where;
    leak->bytes = bytes;
    mutex_lock(&records.lock);
    leak->epoch = records.epoch;
    leak->next = records.first;
    if (leak->next != NULL) {
        leak->next->previous = leak;
    }
    records.first = leak;
    mutex_unlock(&records.lock);
    return leak;
}

struct leak *leak_open(const char *where, size_t bytes, uint32_t use_count)
{
    unsigned level = atomic_load_explicit(&leak_level, memory_order_relaxed);
    return unlikely(is_watched(level, use_count)) ? open_record(where, bytes) : NULL;
}

static void unlink_record(struct leak *leak) REQUIRES(records.lock)
{
    if (leak->epoch != records.epoch) {
        return;
    }
    if (leak->next != NULL) {
        leak->next->previous = leak->previous;
    }
    if (leak->previous != NULL) {
        leak->previous->next = leak->next;
    } else {
        records.first = leak->next;
    }
}

void leak_close(struct leak *leak)
{
    mutex_lock(&records.lock);
    unlink_record(leak);
    mutex_unlock(&records.lock);
    pm_free(leak);
}

void leak_touch(struct leak *leak, const char *what, const char *where, const void *address)
{
    if (atomic_load_explicit(&leak_level, memory_order_relaxed) < PM_LEAK_ADVANCED) {
        return;
    }
    mutex_lock(&records.lock);
    leak->touches[leak->touch_count % TOUCHES_KEPT] =
        (struct touch){.what = what, .where = where, .address = address};
    leak->touch_count++;
    mutex_unlock(&records.lock);
}

/* ---- Report --------------------------------------------------------------------------------- */

static void write_touches(struct text *line, const struct leak *leak)
{
    for (uint32_t i = 1; i <= TOUCHES_KEPT && i <= leak->touch_count; i++) {
        const struct touch *touch = &leak->touches[(leak->touch_count - i) % TOUCHES_KEPT];
        text_string(line, i == 1 ? ", last " : ", ");
        text_string(line, touch->what);
        text_char(line, ' ');
        if (touch->where != NULL) {
            text_string(line, touch->where);
        } else {
            text_hex(line, (uintptr_t)touch->address);
        }
    }
}

/* One line for a site; `newest` is its newest record, whose touches are shown. */
static void write_site(const struct leak *newest, size_t count, size_t bytes)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
    text_string(&line, "poolmalloc: leak: ");
    text_number(&line, count);
    text_string(&line, count == 1 ? " buffer, " : " buffers, ");
    text_bytes(&line, bytes);
    text_string(&line, ", created at ");
    text_string(&line, newest->where);
    write_touches(&line, newest);
    line.start[line.length++] = '\n';
    os_write(STDERR_FILENO, line.start, line.length);
}

static void report_site(struct leak *newest) REQUIRES(records.lock)
{
    size_t count = 0;
    size_t bytes = 0;
    for (struct leak *leak = newest; leak != NULL; leak = leak->next) {
        if (!leak->reported && strcmp(leak->where, newest->where) == 0) {
            leak->reported = true;
            count++;
            bytes += leak->bytes;
        }
    }
    write_site(newest, count, bytes);
}

PUBLIC size_t pm_leak_report(void)
{
    size_t sites = 0;
    mutex_lock(&records.lock);
    for (struct leak *leak = records.first; leak != NULL; leak = leak->next) {
        leak->reported = false;
    }
    for (struct leak *leak = records.first; leak != NULL; leak = leak->next) {
        if (!leak->reported) {
            report_site(leak);
            sites++;
        }
    }
    mutex_unlock(&records.lock);
    return sites;
}

/* ---- Process -------------------------------------------------------------------------------- */

__attribute__((constructor)) static void read_options(void)
{
    config_load();
    pm_leak_set_level((pm_leak_level)config.leak);
}

__attribute__((destructor)) static void report_at_exit(void)
{
    (void)pm_leak_report();
}
