/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers that were forgotten: a record for each watched buffer from its creation to its end.
 *
 *     records: | created at, bytes | touch | touch | touch | touch |  <-> ...   under one lock
 *
 * A watched buffer costs an allocation and the lock at creation, at its end, and, from advanced on,
 * at each touch; an unwatched one costs a test of a pointer. Source: Netty's ResourceLeakDetector
 * (levels, 1 in 128); there a collector finds the forgotten, here whoever is held at the report. */
#ifndef POOLMALLOC_LEAK_H
#define POOLMALLOC_LEAK_H

#include <stddef.h>
#include <stdint.h>

struct leak;

/* The record of a new buffer, or NULL: not watched. use_count: how often its handle was used;
 * sampling counts by it, which needs no shared counter. where: a literal. */
struct leak *leak_open(const char *where, size_t bytes, uint32_t use_count);
void leak_close(struct leak *leak);
/* what, where: literals; where may be NULL, then the address stands for it. */
void leak_touch(struct leak *leak, const char *what, const char *where, const void *address);

#endif
