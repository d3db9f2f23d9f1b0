/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one collector of statistics: it walks the allocator's structures from the roots of a layout
 * and sums them up, in this process or in another one, whatever the reader reads.
 *
 * No locks, no allocation; every walk is bounded, every address comes from structures that are
 * never unmapped, and what cannot be true is dropped. So it may run in a signal handler. */
#ifndef POOLMALLOC_STATS_H
#define POOLMALLOC_STATS_H

#include "stats_sums.h"

struct reader {
    /* Copies from the process that is looked into. false: not readable. */
    bool (*read)(struct reader *reader, const void *address, void *target, size_t bytes);
    /* For each OS page of a range 1 when it is resident, else 0 (bit 0 of a byte). NULL or false:
     * not known; what was written is then taken to be resident. */
    bool (*resident)(struct reader *reader, const void *start, size_t bytes, uint8_t *pages);
    size_t os_page_bytes;
};

/* layout: read and found to fit. false: the structures could not be read to the end; what was
 * found so far is summed up. */
bool stats_collect(struct stats *stats, const struct layout *layout, struct reader *reader);

#endif
