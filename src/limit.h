/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bound on the memory of the process: limit_bytes, the cgroup's with limit:cgroup, or the
 * smaller.
 *
 * Near it (9/10) everything unused is purged, at most once a tick; if that is not enough the
 * program's callback is asked to free something; a request above SMALL_MAX_BYTES that would go
 * over the limit even then fails with ENOMEM. Small requests never fail by it: programs do not
 * expect them to. What counts are pages in use or dirty, huge blocks and metadata. */
#ifndef POOLMALLOC_LIMIT_H
#define POOLMALLOC_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void limit_callback(uint64_t resident_bytes, uint64_t limit_bytes);

/* May this many bytes more be used? Purges and calls back before it says no. */
bool limit_allows(size_t bytes);

/* At each tick: purges and calls back when near the limit. */
void limit_poll(void);

void limit_set_callback(limit_callback *callback);

/* Says whether the calling thread holds a lock that the callback may want: then nothing but purging
 * is done. NULL: there is none. */
extern _Atomic(bool (*)(void)) limit_is_bad_moment;

/* 0: none. */
uint64_t limit_in_force(void);
uint64_t limit_resident_bytes(void);

#endif
