/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reference-counted byte buffers whose bytes and handles come from pools.
 *
 *     bytes   | read already | readable | writable | can grow |
 *             0         reader     writer     capacity    max_capacity
 *
 * A buffer is held by references: the one that creates it holds one, pm_buf_retain adds one,
 * pm_buf_release gives one up, and the last one returns bytes and handle to their pools. A slice
 * or duplicate is a buffer of its own (indexes, references) over the same bytes: it holds one
 * reference to their owner. A composite strings parts together without copying.
 *
 * For every function that takes a buffer, unless it says otherwise:
 *   Threads: retain, release and references may be called by any thread that holds a reference.
 *     All else: one thread at a time for one handle; hand a handle on with the synchronisation that
 *     handing over a pointer needs. Different handles over the same bytes may be used at once as
 *     long as nobody writes bytes that another reads.
 *   Misuse: a buffer that nobody holds is noticed (see pm_set_checking in poolmalloc/pool.h): the
 *     call does nothing and returns false, 0 or NULL. Handles are recycled: once the handle has a
 *     new holder, late use of the old one is not noticed.
 *   Errors: a false or NULL leaves buffer and bytes as they were; errno is ERANGE for what does not
 *     fit between the indexes, ENOMEM, or what the function says.
 *   Source: Netty's ByteBuf; the indexes are those of its javadoc.
 */
#ifndef PM_BUFFER_H
#define PM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pm_buf pm_buf;

#define PM_TEXT_OF_(x) #x
#define PM_TEXT_OF(x) PM_TEXT_OF_(x)
#define PM_HERE __FILE__ ":" PM_TEXT_OF(__LINE__) /* "file.c:12" */

/* ---- Creating, holding ---------------------------------------------------------------------- */

/* Creates an empty buffer of at least `bytes` bytes that may grow to max_bytes.
 * where: a literal that leak reports name; pm_buf_create passes the caller's line.
 * Returns the buffer with one reference, or NULL.
 * Errors: EINVAL (bytes > max_bytes), ENOMEM.
 * Threads: any. */
pm_buf *pm_buf_create_at(size_t bytes, size_t max_bytes, const char *where);
#define pm_buf_create(bytes, max_bytes) pm_buf_create_at((bytes), (max_bytes), PM_HERE)

/* Adds a reference. Returns the buffer. */
pm_buf *pm_buf_retain(pm_buf *buffer);

/* Gives a reference up; the last one ends the buffer. Preserves errno. NULL: nothing happens.
 * Returns true if it was the last. */
bool pm_buf_release(pm_buf *buffer);

/* References now; 0: released. */
uint32_t pm_buf_references(const pm_buf *buffer);

/* ---- Indexes -------------------------------------------------------------------------------- */

size_t pm_buf_capacity(const pm_buf *buffer);
size_t pm_buf_max_capacity(const pm_buf *buffer);
size_t pm_buf_reader(const pm_buf *buffer);
size_t pm_buf_writer(const pm_buf *buffer);
size_t pm_buf_readable(const pm_buf *buffer); /* writer - reader */
size_t pm_buf_writable(const pm_buf *buffer); /* capacity - writer, without growing */

/* Sets both; reader <= writer <= capacity. */
bool pm_buf_set_indexes(pm_buf *buffer, size_t reader, size_t writer);
/* Moves the reader over `bytes` readable bytes, as if read. */
bool pm_buf_skip(pm_buf *buffer, size_t bytes);
/* Moves the writer over `bytes` writable bytes, which the caller has filled. */
bool pm_buf_commit(pm_buf *buffer, size_t bytes);

/* Makes `bytes` bytes writable, moving the bytes to a larger block if needed.
 * Errors: ERANGE (beyond max_capacity), ENOMEM, EBUSY (bytes would move, but others hold them: a
 * buffer grows only while it has one reference and is no slice, duplicate or composite). */
bool pm_buf_reserve(pm_buf *buffer, size_t bytes);

/* Where the readable or writable bytes are, as one piece; *bytes: how many. A composite gives its
 * first piece. Valid until the buffer grows or is released. NULL: none. */
const uint8_t *pm_buf_read_span(const pm_buf *buffer, size_t *bytes);
uint8_t *pm_buf_write_span(pm_buf *buffer, size_t *bytes);

/* ---- Bytes and integers ---------------------------------------------------------------------
 *
 * read and write move the indexes, write grows the buffer; get and set work at an index below the
 * capacity and move nothing. */

bool pm_buf_read_bytes(pm_buf *buffer, void *target, size_t bytes);
bool pm_buf_write_bytes(pm_buf *buffer, const void *source, size_t bytes);
bool pm_buf_get_bytes(const pm_buf *buffer, size_t index, void *target, size_t bytes);
bool pm_buf_set_bytes(pm_buf *buffer, size_t index, const void *source, size_t bytes);

/* How an integer lies in the bytes: its width, and which end comes first. */
typedef enum pm_layout {
    PM_U8 = 1,
    PM_U16_BE = 2,
    PM_U24_BE = 3,
    PM_U32_BE = 4,
    PM_U64_BE = 8,
    PM_U16_LE = 16 + 2,
    PM_U24_LE = 16 + 3,
    PM_U32_LE = 16 + 4,
    PM_U64_LE = 16 + 8
} pm_layout;

bool pm_buf_read_uint(pm_buf *buffer, pm_layout layout, uint64_t *value);
/* value: bits above the layout's width are cut off. */
bool pm_buf_write_uint(pm_buf *buffer, pm_layout layout, uint64_t value);
bool pm_buf_get_uint(const pm_buf *buffer, size_t index, pm_layout layout, uint64_t *value);
bool pm_buf_set_uint(pm_buf *buffer, size_t index, pm_layout layout, uint64_t value);

/* ---- Views ----------------------------------------------------------------------------------
 *
 * A view's bytes are those of its buffer: none is copied. Its capacity is its length and does not
 * grow. The plain forms move the caller's reference into the view: release the view, not the
 * buffer. The retained forms leave it: release both. On failure (NULL) the reference stays. */

/* Bytes [index, index + bytes) of the buffer, all of them readable. */
pm_buf *pm_buf_slice(pm_buf *buffer, size_t index, size_t bytes);
pm_buf *pm_buf_retained_slice(pm_buf *buffer, size_t index, size_t bytes);

/* The next `bytes` readable bytes as a retained slice; the reader moves over them. */
pm_buf *pm_buf_read_slice(pm_buf *buffer, size_t bytes);

/* All bytes, with the buffer's indexes to start with. */
pm_buf *pm_buf_duplicate(pm_buf *buffer);
pm_buf *pm_buf_retained_duplicate(pm_buf *buffer);

/* ---- Composites and vectors ----------------------------------------------------------------- */

/* Creates a buffer without bytes, to which parts are added. See pm_buf_create_at. */
pm_buf *pm_buf_create_composite_at(const char *where);
#define pm_buf_create_composite() pm_buf_create_composite_at(PM_HERE)

/* Adds the readable bytes of `part` at the end, readable; the caller's reference to `part` moves
 * into the composite. A composite as part gives its own parts.
 * Errors: EINVAL (not a composite, or part is the composite), ERANGE (not all its bytes are
 * written: the writer must be at the capacity), ENOMEM. */
bool pm_buf_add(pm_buf *composite, pm_buf *part);

/* Describes the readable (writable) bytes for writev (readv).
 * vectors: room for `count` entries.
 * Returns how many it filled; when `count` was too few, they cover the first bytes. */
size_t pm_buf_read_vectors(const pm_buf *buffer, struct iovec *vectors, size_t count);
size_t pm_buf_write_vectors(pm_buf *buffer, struct iovec *vectors, size_t count);

/* ---- Statistics and leaks ------------------------------------------------------------------- */

typedef struct pm_buf_stats {
    uint64_t live;           /* handles held by somebody, views and composites included */
    uint64_t created;        /* handles so far */
    uint64_t handle_misses;  /* of these, not recycled */
    uint64_t storage_gets;   /* blocks of bytes so far */
    uint64_t storage_misses; /* of these, not recycled */
    uint64_t copied_bytes;   /* by growth and by read, write, get, set, in buffers that ended */
} pm_buf_stats;

/* Threads: any. */
pm_buf_stats pm_buf_get_stats(void);

/* How closely buffers are watched for being forgotten. The option leak:simple|advanced|paranoid, or
 * POOLMALLOC_LEAK, sets the level at start.
 * Source: the levels of Netty's ResourceLeakDetector. */
typedef enum pm_leak_level {
    PM_LEAK_DISABLED, /* the default: no cost */
    PM_LEAK_SIMPLE,   /* 1 buffer in 128: where it was created */
    PM_LEAK_ADVANCED, /* 1 buffer in 128: also where it was last touched */
    PM_LEAK_PARANOID  /* every buffer, as advanced */
} pm_leak_level;

/* For buffers created from now on. Threads: any. */
void pm_leak_set_level(pm_leak_level level);

/* Writes one line to stderr for each line of code whose watched buffers are still held, also done
 * when the process exits:
 *   poolmalloc: leak: 2 buffers, 2.0 KiB, created at server.c:80, last release 0x4011d6, ...
 * Returns how many lines it wrote. Threads: any. */
size_t pm_leak_report(void);

/* Notes for the leak report that the buffer came by here. */
void pm_buf_touch_at(pm_buf *buffer, const char *where);
#define pm_buf_touch(buffer) pm_buf_touch_at((buffer), PM_HERE)

#ifdef __cplusplus
}
#endif

#endif
