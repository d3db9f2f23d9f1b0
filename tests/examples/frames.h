/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Length-prefixed frames on buffers: 4 bytes of length, big-endian, then as many bytes of payload.
 *
 * The decoder collects what was received as slices in a composite and cuts frames off it as
 * retained slices. Nothing is copied, also when a frame spans several receptions. */
#ifndef FRAMES_H
#define FRAMES_H

#include "poolmalloc.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

enum {
    FRAME_HEADER_BYTES = 4,
    FRAME_MAX_BYTES = 1 << 20, /* a longer one is an error of the peer */
    RECEIVE_BYTES = 16 * 1024,
    RECEIVE_MIN_BYTES = 2 * 1024, /* less room than this: begin a new buffer */
};

enum frame_result { FRAME_COMPLETE, FRAME_PARTIAL, FRAME_BAD };

struct decoder {
    pm_buf *receiving; /* bytes are received into its writable part; NULL: none yet */
    pm_buf *inbox;     /* composite of what was received and not yet decoded; NULL: nothing */
};

static inline void decoder_fini(struct decoder *decoder)
{
    pm_buf_release(decoder->receiving);
    pm_buf_release(decoder->inbox);
    *decoder = (struct decoder){NULL, NULL};
}

/* Appends to the inbox; drops its decoded parts on the way. Takes over the reference. */
static inline bool decoder_append(struct decoder *decoder, pm_buf *received)
{
    pm_buf *inbox = pm_buf_create_composite();
    if (inbox == NULL || (decoder->inbox != NULL && !pm_buf_add(inbox, decoder->inbox))) {
        pm_buf_release(inbox);
        pm_buf_release(received);
        return false;
    }
    decoder->inbox = inbox;
    if (!pm_buf_add(inbox, received)) {
        pm_buf_release(received);
        return false;
    }
    return true;
}

/* Reads once from a descriptor. Returns what read(2) returned; -1 with errno also without memory.
 */
static inline ssize_t decoder_receive(struct decoder *decoder, int descriptor)
{
    if (decoder->receiving == NULL || pm_buf_writable(decoder->receiving) < RECEIVE_MIN_BYTES) {
        pm_buf_release(decoder->receiving);
        decoder->receiving = pm_buf_create(RECEIVE_BYTES, RECEIVE_BYTES);
        if (decoder->receiving == NULL) {
            return -1;
        }
    }
    size_t room;
    uint8_t *bytes = pm_buf_write_span(decoder->receiving, &room);
    ssize_t received = read(descriptor, bytes, room);
    if (received <= 0) {
        return received;
    }
    pm_buf_commit(decoder->receiving, (size_t)received);
    pm_buf *slice = pm_buf_read_slice(decoder->receiving, (size_t)received);
    if (slice == NULL || !decoder_append(decoder, slice)) {
        errno = ENOMEM;
        return -1;
    }
    return received;
}

/* Cuts the next frame's payload off the inbox; the caller owns it. */
static inline enum frame_result decoder_next(struct decoder *decoder, pm_buf **payload)
{
    uint64_t length;
    pm_buf *inbox = decoder->inbox;
    if (inbox == NULL || !pm_buf_get_uint(inbox, pm_buf_reader(inbox), PM_U32_BE, &length)) {
        return FRAME_PARTIAL;
    }
    if (length > FRAME_MAX_BYTES) {
        return FRAME_BAD;
    }
    if (pm_buf_readable(inbox) - FRAME_HEADER_BYTES < length) {
        return FRAME_PARTIAL;
    }
    pm_buf_skip(inbox, FRAME_HEADER_BYTES);
    *payload = pm_buf_read_slice(inbox, length);
    return *payload == NULL ? FRAME_BAD : FRAME_COMPLETE;
}

/* Appends header and payload to a composite. Takes over the payload's reference. */
static inline bool frame_write(pm_buf *outbox, pm_buf *payload)
{
    pm_buf *header = pm_buf_create(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES);
    if (header == NULL || !pm_buf_write_uint(header, PM_U32_BE, pm_buf_readable(payload)) ||
        !pm_buf_add(outbox, header)) {
        pm_buf_release(header);
        pm_buf_release(payload);
        return false;
    }
    if (!pm_buf_add(outbox, payload)) {
        pm_buf_release(payload);
        return false;
    }
    return true;
}

#endif
