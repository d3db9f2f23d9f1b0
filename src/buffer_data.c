/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers: bytes and integers in and out. All of it goes piece by piece through buffer_span, so
 * that composites need no code of their own; an integer within one piece is one load or store. */
#include "buffer.h"

#include "bits.h"

#include <errno.h>
#include <string.h>

enum { WIDTH_MASK = 15, MAX_WIDTH = 8 };

enum copy_direction { OUT_OF_BUFFER, INTO_BUFFER };

/* [index, index + bytes) lies within the capacity. */
static void copy(const pm_buf *buffer, size_t index, uint8_t *user, size_t bytes,
                 enum copy_direction direction)
{
    while (bytes > 0) {
        size_t length;
        uint8_t *span = buffer_span(buffer, index, &length);
        length = smaller(length, bytes);
        if (direction == INTO_BUFFER) {
            memcpy(span, user, length);
        } else {
            memcpy(user, span, length);
        }
        index += length;
        user += length;
        bytes -= length;
    }
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

static void copy_out(const pm_buf *buffer, size_t index, void *target, size_t bytes)
{
    copy(buffer, index, target, bytes, OUT_OF_BUFFER);
    ((pm_buf *)buffer)->copied_bytes += bytes; /* a statistic, not part of the value */
}

static void copy_in(pm_buf *buffer, size_t index, const void *source, size_t bytes)
{
    copy(buffer, index, (uint8_t *)source, bytes, INTO_BUFFER);
    buffer->copied_bytes += bytes;
}

PUBLIC bool pm_buf_get_bytes(const pm_buf *buffer, size_t index, void *target, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(index, bytes, buffer->capacity)) {
        return false;
    }
    copy_out(buffer, index, target, bytes);
    return true;
}

PUBLIC bool pm_buf_set_bytes(pm_buf *buffer, size_t index, const void *source, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(index, bytes, buffer->capacity)) {
        return false;
    }
    copy_in(buffer, index, source, bytes);
    return true;
}

PUBLIC bool pm_buf_read_bytes(pm_buf *buffer, void *target, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(buffer->reader, bytes, buffer->writer)) {
        return false;
    }
    copy_out(buffer, buffer->reader, target, bytes);
    buffer->reader += bytes;
    return true;
}

PUBLIC bool pm_buf_write_bytes(pm_buf *buffer, const void *source, size_t bytes)
{
    if (!pm_buf_reserve(buffer, bytes)) {
        return false;
    }
    copy_in(buffer, buffer->writer, source, bytes);
    buffer->writer += bytes;
    return true;
}

/* ---- Integers ------------------------------------------------------------------------------- */

/* Bytes of an integer, or 0 with errno EINVAL for a layout that does not exist. */
static size_t width_of(pm_layout layout)
{
    size_t width = (size_t)layout & WIDTH_MASK;
    if (width == 0 || width > MAX_WIDTH || (size_t)layout > WIDTH_MASK * 2 + 1) {
        errno = EINVAL;
        return 0;
    }
    return width;
}

static bool is_big_endian(pm_layout layout)
{
    return (size_t)layout <= WIDTH_MASK;
}

static uint64_t load(const pm_buf *buffer, size_t index, pm_layout layout)
{
    uint8_t bytes[MAX_WIDTH];
    size_t width = (size_t)layout & WIDTH_MASK;
    uint64_t value = 0;
    copy(buffer, index, bytes, width, OUT_OF_BUFFER);
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | bytes[is_big_endian(layout) ? i : width - 1 - i];
    }
    return value;
}

static void store(const pm_buf *buffer, size_t index, pm_layout layout, uint64_t value)
{
    uint8_t bytes[MAX_WIDTH];
    size_t width = (size_t)layout & WIDTH_MASK;
    for (size_t i = width; i > 0; i--, value >>= 8) {
        bytes[is_big_endian(layout) ? i - 1 : width - i] = (uint8_t)value;
    }
    copy(buffer, index, bytes, width, INTO_BUFFER);
}

PUBLIC bool pm_buf_get_uint(const pm_buf *buffer, size_t index, pm_layout layout, uint64_t *value)
{
    size_t width = width_of(layout);
    if (width == 0 || !buffer_is_held(buffer) || !buffer_fits(index, width, buffer->capacity)) {
        return false;
    }
    *value = load(buffer, index, layout);
    return true;
}

PUBLIC bool pm_buf_set_uint(pm_buf *buffer, size_t index, pm_layout layout, uint64_t value)
{
    size_t width = width_of(layout);
    if (width == 0 || !buffer_is_held(buffer) || !buffer_fits(index, width, buffer->capacity)) {
        return false;
    }
    store(buffer, index, layout, value);
    return true;
}

PUBLIC bool pm_buf_read_uint(pm_buf *buffer, pm_layout layout, uint64_t *value)
{
    size_t width = width_of(layout);
    if (width == 0 || !buffer_is_held(buffer) ||
        !buffer_fits(buffer->reader, width, buffer->writer)) {
        return false;
    }
    *value = load(buffer, buffer->reader, layout);
    buffer->reader += width;
    return true;
}

PUBLIC bool pm_buf_write_uint(pm_buf *buffer, pm_layout layout, uint64_t value)
{
    size_t width = width_of(layout);
    if (width == 0 || !pm_buf_reserve(buffer, width)) {
        return false;
    }
    store(buffer, buffer->writer, layout, value);
    buffer->writer += width;
    return true;
}
