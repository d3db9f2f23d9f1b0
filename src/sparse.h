/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Large blocks of which little was touched, as hash tables and readers' buffers are.
 *
 *     block | touched | ...... | 8 pages | ...... | 8 pages | ...... | 8 pages | ...... | touched |
 *                                1/4                1/2                3/4
 *
 * What is freed stays resident for a while, because faults are dear. A sparse block has few to
 * save; but each of its users touches other pages, and they pile up until all of it is resident.
 * So of every 17 freed blocks of at least 256 OS pages one is looked at, in three places: if at
 * most a quarter of the pages there is resident, it is purged. 17, so that a program that frees by
 * turns has each of its blocks looked at. */
#ifndef POOLMALLOC_SPARSE_H
#define POOLMALLOC_SPARSE_H

#include <stdbool.h>
#include <stddef.h>

/* To be called with a block that is about to be free. true: it was purged, all of it reads as zero.
 * Blocks that are not of whole OS pages are left alone, with decay_ms:never all. Any thread. */
bool sparse_purge(void *start, size_t bytes);

#endif
