/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reference-counted buffers: the handle, and what its modules share.
 *
 *     owner      bytes --> | a block from the tiers           |
 *     view       bytes ----------^  root --> owner (one reference)
 *     composite  parts --> | bytes, start, owner (one reference) | ...      in order, none empty
 *
 * Invariants
 *  1. references == 0: the handle is in the pool of handles, or being made or ended.
 *  2. reader <= writer <= capacity <= max_capacity.
 *  3. The root of a view and the owners of parts are owners, so no chain is longer than one.
 *  4. Bytes move (growth) only while the owner has one reference: no view or part can notice.
 *  5. Handles are never freed, only reused: a late call on one reads its references, not garbage.
 *
 * No locks: the count is atomic, all else belongs to the thread that uses the handle.
 * Source: Netty's ByteBuf, CompositeByteBuf and Recycler. */
#ifndef POOLMALLOC_BUFFER_H
#define POOLMALLOC_BUFFER_H

#include "compiler.h"
#include "misuse.h"
#include "poolmalloc.h"

#include <stdatomic.h>

struct leak;

enum buffer_kind { BUFFER_OWNER, BUFFER_VIEW, BUFFER_COMPOSITE };

struct buffer_part {
    uint8_t *bytes;
    size_t start;  /* index of its first byte in the composite */
    size_t length; /* > 0 */
    struct pm_buf *owner;
};

struct pm_buf {
    uint8_t *bytes; /* index 0; NULL in a composite */
    size_t capacity;
    size_t max_capacity;
    size_t reader;
    size_t writer;
    _Atomic uint32_t references;
    enum buffer_kind kind;
    struct pm_buf *root; /* of a view */
    struct buffer_part *parts;
    uint32_t part_count;
    uint32_t part_capacity; /* parts there is room for */
    struct leak *leak;      /* NULL: not watched */
    uint64_t copied_bytes;  /* in this life */
    uint32_t use_count;     /* lives so far, plus the number of the handle */
};

/* A handle with one reference and all else zero but its use_count; or NULL, errno ENOMEM. */
struct pm_buf *buffer_take_handle(enum buffer_kind kind);

/* Tells a live buffer; counts or ends a misuse otherwise. */
static ALWAYS_INLINE bool buffer_is_held(const struct pm_buf *buffer)
{
    /* relaxed: whoever may call holds a reference and has seen it */
    if (likely(atomic_load_explicit(&buffer->references, memory_order_relaxed) != 0)) {
        return true;
    }
    misuse(MISUSE_BUFFER_RELEASED, buffer);
    return false;
}

/* Whether [index, index + bytes) lies below `limit`; sets errno to ERANGE if not. */
bool buffer_fits(size_t index, size_t bytes, size_t limit);

/* The contiguous bytes from `index` on, *length > 0 of them; index < capacity. */
uint8_t *buffer_span(const struct pm_buf *buffer, size_t index, size_t *length);

#endif
