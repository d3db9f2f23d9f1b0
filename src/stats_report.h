/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of this process, as POOLMALLOC_STATS=1|text|json|prometheus[:PATH] asks for them: at
 * exit, every stats_interval seconds, at a signal. PATH may hold %p (process id) and %t (seconds
 * since 1970); without one the report goes to standard error.
 *
 * A forked child reports only to a PATH with %p, so that nothing is said twice.
 *
 * Locks: one report at a time. Nothing here waits while it may run in a signal handler: a report
 * that finds another one under way leaves it the wish for one more. */
#ifndef POOLMALLOC_STATS_REPORT_H
#define POOLMALLOC_STATS_REPORT_H

#include "stats_print.h"

/* Reads POOLMALLOC_STATS. */
void stats_report_load(void);
/* The last report, if one is wanted. */
void stats_report_at_exit(void);
/* Once per tick: the trim that another process asked for, the peak, and the report that is due.
 * Preserves errno. */
void stats_report_poll(uint64_t now_ms);

/* Collects this process's statistics. The struct is valid until stats_release. */
const struct stats *stats_acquire(void);
void stats_release(void);

/* A format and, after a colon, a path: the value of POOLMALLOC_STATS. */
struct stats_request {
    enum stats_format format;
    const char *path; /* in what was parsed; empty: standard error */
};
/* false: no format begins it. */
bool stats_request_parse(const char *value, struct stats_request *parsed);

/* Writes a report now. false: it cannot be written. */
bool stats_report_write(const struct stats_request *wanted);

/* In a forked child. */
void stats_report_abandon_lock(void);

#endif
