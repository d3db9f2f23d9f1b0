/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics and control: what the allocator holds and why, its options while the program runs.
 *
 * Not for signal handlers (POOLMALLOC_STATS_SIGNAL is for them). No function here allocates. */
#ifndef PM_CONTROL_H
#define PM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Statistics ----------------------------------------------------------------------------- */

/* Reads one statistic. Every call looks at all structures, about a millisecond per GiB in use: who
 * wants many takes pm_dump.
 * name: as in docs/statistics.md: "resident", "class.48.live" (48: bytes of the class, or huge),
 * "arena.0.chunks"; value: where to store it.
 * Returns true, or false when there is no such statistic; *value stays as it was.
 * Threads: any. */
bool pm_stat_get(const char *name, uint64_t *value);

/* Names the statistics of the process as a whole, for programs that list them.
 * index: from 0 on; help: where to store its sentence, or NULL.
 * Returns the name, or NULL past the last one.
 * Threads: any. */
const char *pm_stat_name(size_t index, const char **help);

/* Writes a report.
 * request: "text", "json", "prometheus" or "openmetrics", and after a colon a path in which %p is
 * the process id and %t the seconds since 1970; without a path it goes to standard error. The file
 * appears whole: it is written under another name and renamed.
 * Returns true, or false: EINVAL in errno when no format begins the request, else why the file
 * cannot be written.
 * Threads: any. */
bool pm_dump(const char *request);

/* ---- Options -------------------------------------------------------------------------------- */

/* Reads an option as text, as POOLMALLOC_CONF would spell it.
 * key: as in poolmalloc.conf(5); value: room for `bytes` bytes; what does not fit is cut.
 * Returns true, or false with EINVAL in errno when there is no such option.
 * Threads: any. */
bool pm_option_get(const char *key, char *value, size_t bytes);

/* Changes an option from now on. These can change: decay_ms, cache_bytes, cached_max, limit_bytes,
 * foreign, stats_interval.
 * value: as in POOLMALLOC_CONF ("5000", "never", "64M").
 * Returns true, or false, nothing changed: EINVAL in errno for an unknown key or a bad value, EPERM
 * for an option that is fixed once the process has started.
 * Threads: any. */
bool pm_option_set(const char *key, const char *value);

/* ---- Control -------------------------------------------------------------------------------- */

/* Gives back to the kernel all that the program does not use: the calling thread's cache, depots,
 * free pages. Other threads' caches stay.
 * Returns true when something was given back.
 * Threads: any. */
bool pm_trim(void);

/* Registers a function that is called when memory comes near the limit (limit_bytes, limit:cgroup)
 * and purging was not enough, so that the program can free something: a cache, say.
 * on_pressure: gets the resident bytes and the limit; called within an allocating call of any
 * thread, at most once a tick (250 ms): it must not wait for a lock that the program holds while it
 * allocates. It may allocate and free. NULL: none.
 * Threads: any. */
void pm_on_pressure(void (*on_pressure)(uint64_t resident_bytes, uint64_t limit_bytes));

/* Sends warnings to a function of the program instead of standard error. A fatal line goes to both.
 * hook: gets each line, NUL-terminated, without "\n"; called in the thread that found the reason,
 * no lock held; it may allocate, but not in the case of a fatal line. NULL: standard error again.
 * Threads: any; a call under way in another thread may still use the old hook. */
void pm_message_hook(void (*hook)(const char *line));

#ifdef __cplusplus
}
#endif

#endif
