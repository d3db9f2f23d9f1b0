/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers over the bytes of others: slices, duplicates, composites, vectors. No byte is copied. */
#include "buffer.h"

#include "bits.h"

#include "leak.h"

#include <errno.h>
#include <string.h>

enum { FIRST_PARTS = 8 };

/* ---- Pieces --------------------------------------------------------------------------------- */

/* The part that covers `index`, which is below the capacity. */
static const struct buffer_part *part_at(const pm_buf *composite, size_t index)
{
    uint32_t first = 0;
    uint32_t end = composite->part_count;
    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;
        if (composite->parts[middle].start <= index) {
            first = middle;
        } else {
            end = middle;
        }
    }
    return &composite->parts[first];
}

uint8_t *buffer_span(const pm_buf *buffer, size_t index, size_t *length)
{
    if (likely(buffer->kind != BUFFER_COMPOSITE)) {
        *length = buffer->capacity - index;
        return buffer->bytes + index;
    }
    const struct buffer_part *part = part_at(buffer, index);
    size_t offset = index - part->start;
    *length = part->length - offset;
    return part->bytes + offset;
}

/* The first piece of [index, end), or NULL. */
static uint8_t *first_span(const pm_buf *buffer, size_t index, size_t end, size_t *bytes)
{
    *bytes = 0;
    if (index == end) {
        return NULL;
    }
    uint8_t *span = buffer_span(buffer, index, bytes);
    *bytes = smaller(*bytes, end - index);
    return span;
}

PUBLIC const uint8_t *pm_buf_read_span(const pm_buf *buffer, size_t *bytes)
{
    *bytes = 0;
    return buffer_is_held(buffer) ? first_span(buffer, buffer->reader, buffer->writer, bytes)
                                  : NULL;
}

PUBLIC uint8_t *pm_buf_write_span(pm_buf *buffer, size_t *bytes)
{
    *bytes = 0;
    return buffer_is_held(buffer) ? first_span(buffer, buffer->writer, buffer->capacity, bytes)
                                  : NULL;
}

static size_t describe(const pm_buf *buffer, size_t index, size_t end, struct iovec *vectors,
                       size_t count)
{
    size_t filled = 0;
    while (index < end && filled < count) {
        size_t length;
        uint8_t *span = first_span(buffer, index, end, &length);
        vectors[filled++] = (struct iovec){.iov_base = span, .iov_len = length};
        index += length;
    }
    return filled;
}

PUBLIC size_t pm_buf_read_vectors(const pm_buf *buffer, struct iovec *vectors, size_t count)
{
    return buffer_is_held(buffer) ? describe(buffer, buffer->reader, buffer->writer, vectors, count)
                                  : 0;
}

PUBLIC size_t pm_buf_write_vectors(pm_buf *buffer, struct iovec *vectors, size_t count)
{
    return buffer_is_held(buffer)
               ? describe(buffer, buffer->writer, buffer->capacity, vectors, count)
               : 0;
}

/* ---- Composites ----------------------------------------------------------------------------- */

static bool has_room(pm_buf *composite, uint32_t more)
{
    uint32_t needed = composite->part_count + more;
    uint32_t capacity = composite->part_capacity == 0 ? FIRST_PARTS : composite->part_capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity == composite->part_capacity) {
        return true;
    }
    struct buffer_part *parts = pm_reallocarray(composite->parts, capacity, sizeof(parts[0]));
    if (parts == NULL) {
        return false;
    }
    composite->parts = parts;
    composite->part_capacity = capacity;
    return true;
}

static void append(pm_buf *composite, uint8_t *bytes, size_t length, pm_buf *owner)
{
    composite->parts[composite->part_count++] =
        (struct buffer_part){bytes, composite->capacity, length, pm_buf_retain(owner)};
    composite->capacity += length;
}

static pm_buf *owner_of(pm_buf *buffer)
{
    return buffer->kind == BUFFER_VIEW ? buffer->root : buffer;
}

/* Appends bytes [index, index + bytes) of a buffer, retaining their owners. */
static bool append_range(pm_buf *composite, pm_buf *buffer, size_t index, size_t bytes)
{
    if (!has_room(composite, buffer->kind == BUFFER_COMPOSITE ? buffer->part_count : 1)) {
        return false;
    }
    size_t end = index + bytes;
    while (index < end) {
        size_t length;
        uint8_t *span = first_span(buffer, index, end, &length);
        append(composite, span, length,
               buffer->kind == BUFFER_COMPOSITE ? part_at(buffer, index)->owner : owner_of(buffer));
        index += length;
    }
    return true;
}

PUBLIC bool pm_buf_add(pm_buf *composite, pm_buf *part)
{
    if (!buffer_is_held(composite) || !buffer_is_held(part)) {
        return false;
    }
    if (composite->kind != BUFFER_COMPOSITE || part == composite) {
        errno = EINVAL;
        return false;
    }
    size_t bytes = part->writer - part->reader;
    if (composite->writer != composite->capacity ||
        !buffer_fits(composite->capacity, bytes, composite->max_capacity)) {
        errno = ERANGE;
        return false;
    }
    if (!append_range(composite, part, part->reader, bytes)) {
        return false;
    }
    composite->writer = composite->capacity;
    pm_buf_release(part);
    return true;
}

/* ---- Slices and duplicates ------------------------------------------------------------------ */

static pm_buf *view_of(pm_buf *buffer, size_t index, size_t bytes)
{
    pm_buf *view = buffer_take_handle(BUFFER_VIEW);
    if (view != NULL) {
        view->bytes = buffer->bytes + index;
        view->capacity = bytes;
        view->root = pm_buf_retain(owner_of(buffer));
    }
    return view;
}

static pm_buf *composite_of(pm_buf *buffer, size_t index, size_t bytes)
{
    pm_buf *view = buffer_take_handle(BUFFER_COMPOSITE);
    if (view != NULL && !append_range(view, buffer, index, bytes)) {
        pm_buf_release(view);
        return NULL;
    }
    return view;
}

PUBLIC pm_buf *pm_buf_retained_slice(pm_buf *buffer, size_t index, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(index, bytes, buffer->capacity)) {
        return NULL;
    }
    pm_buf *view = buffer->kind == BUFFER_COMPOSITE ? composite_of(buffer, index, bytes)
                                                    : view_of(buffer, index, bytes);
    if (view != NULL) {
        view->max_capacity = bytes;
        view->writer = bytes;
        if (unlikely(buffer->leak != NULL)) {
            leak_touch(buffer->leak, "slice", NULL, __builtin_return_address(0));
        }
    }
    return view;
}

/* Moves the caller's reference: a view that holds one of its own, without the caller's. */
static pm_buf *instead_of(pm_buf *buffer, pm_buf *view)
{
    if (view != NULL) {
        pm_buf_release(buffer);
    }
    return view;
}

PUBLIC pm_buf *pm_buf_slice(pm_buf *buffer, size_t index, size_t bytes)
{
    return instead_of(buffer, pm_buf_retained_slice(buffer, index, bytes));
}

PUBLIC pm_buf *pm_buf_read_slice(pm_buf *buffer, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(buffer->reader, bytes, buffer->writer)) {
        return NULL;
    }
    pm_buf *view = pm_buf_retained_slice(buffer, buffer->reader, bytes);
    if (view != NULL) {
        buffer->reader += bytes;
    }
    return view;
}

PUBLIC pm_buf *pm_buf_retained_duplicate(pm_buf *buffer)
{
    if (!buffer_is_held(buffer)) {
        return NULL;
    }
    pm_buf *view = pm_buf_retained_slice(buffer, 0, buffer->capacity);
    if (view != NULL) {
        view->reader = buffer->reader;
        view->writer = buffer->writer;
    }
    return view;
}

PUBLIC pm_buf *pm_buf_duplicate(pm_buf *buffer)
{
    return instead_of(buffer, pm_buf_retained_duplicate(buffer));
}
