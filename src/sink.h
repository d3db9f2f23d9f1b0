/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a report goes, piece by piece: lines are put together in a bounded text, and what is there
 * is written out before a line might not fit any more. */
#ifndef POOLMALLOC_SINK_H
#define POOLMALLOC_SINK_H

#include "text.h"

enum { SINK_BYTES = 4096, SINK_LINE_BYTES = 1024 };

struct sink {
    struct text text; /* over `space` */
    void (*write)(struct sink *sink, const char *start, size_t length);
    void *target;   /* for write */
    int descriptor; /* for write */
    char space[SINK_BYTES];
};

static inline void sink_init(struct sink *sink)
{
    sink->text = text_over(sink->space, sizeof(sink->space));
}

static inline void sink_flush(struct sink *sink)
{
    sink->write(sink, sink->space, sink->text.length);
    sink->text.length = 0;
}

/* Room for one more line of at most SINK_LINE_BYTES. */
static inline struct text *sink_line(struct sink *sink)
{
    if (sink->text.length + SINK_LINE_BYTES > sink->text.capacity) {
        sink_flush(sink);
    }
    return &sink->text;
}

#endif
