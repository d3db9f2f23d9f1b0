/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers against a model. The input is a program for a few buffer handles; beside each handle the
 * model keeps what its bytes must be, where they come from, and its indexes. After every step all
 * handles are compared; at the end everything is released and nothing may be left.
 *
 * The model: a store is the bytes of an owner; a handle is a list of (store, offset) per byte. */
#include "poolmalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 6, MAX_BYTES = 512, STORES = 64, MAX_STEPS = 300 };

#define expect(condition) expect_that((condition), #condition, __LINE__)

static void expect_that(bool holds, const char *condition, int line)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: %s\n", __FILE__, line, condition);
        abort();
    }
}

struct store {
    uint8_t bytes[MAX_BYTES];
    int holders; /* handles and parts over it; the store is reused at 0 */
};

struct handle {
    pm_buf *buffer; /* NULL: free */
    size_t capacity;
    size_t max_capacity;
    size_t reader;
    size_t writer;
    uint32_t references;
    bool owner;
    bool composite;
    uint16_t store[MAX_BYTES]; /* of each byte */
    uint16_t offset[MAX_BYTES];
};

static struct store stores[STORES];
static struct handle handles[HANDLES];

static struct {
    const uint8_t *next;
    const uint8_t *end;
} input;

static unsigned take(unsigned limit)
{
    unsigned value = input.next < input.end ? *input.next++ : 0;
    return limit == 0 ? 0 : value % limit;
}

static uint8_t *byte_of(const struct handle *handle, size_t index)
{
    return &stores[handle->store[index]].bytes[handle->offset[index]];
}

/* Every store under the handle gains or loses a holder once. */
static void hold_stores(const struct handle *handle, int change)
{
    bool seen[STORES] = {false};
    for (size_t i = 0; i < handle->capacity; i++) {
        if (!seen[handle->store[i]]) {
            seen[handle->store[i]] = true;
            stores[handle->store[i]].holders += change;
        }
    }
}

static struct handle *free_handle(void)
{
    for (int i = 0; i < HANDLES; i++) {
        if (handles[i].buffer == NULL) {
            return &handles[i];
        }
    }
    return NULL;
}

static struct handle *live_handle(void)
{
    struct handle *handle = &handles[take(HANDLES)];
    return handle->buffer == NULL ? NULL : handle;
}

static uint16_t free_store(void)
{
    for (int i = 0; i < STORES; i++) {
        if (stores[i].holders == 0) {
            memset(stores[i].bytes, 0, MAX_BYTES);
            return (uint16_t)i;
        }
    }
    abort();
}

/* Sets the bytes beyond `from` to zero in both worlds, as their contents are undefined. */
static void define_bytes(struct handle *handle, size_t from)
{
    static const uint8_t zeroes[MAX_BYTES];
    if (from < handle->capacity) {
        expect(pm_buf_set_bytes(handle->buffer, from, zeroes, handle->capacity - from));
    }
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static void create(void)
{
    struct handle *handle = free_handle();
    size_t bytes = take(100);
    size_t max_bytes = bytes + take(200);
    if (handle == NULL) {
        return;
    }
    *handle = (struct handle){.owner = true, .max_capacity = max_bytes, .references = 1};
    handle->buffer = pm_buf_create(bytes, max_bytes);
    expect(handle->buffer != NULL);
    handle->capacity = pm_buf_capacity(handle->buffer);
    expect(handle->capacity >= bytes && handle->capacity <= max_bytes);
    uint16_t store = free_store();
    for (size_t i = 0; i < max_bytes; i++) {
        handle->store[i] = store;
        handle->offset[i] = (uint16_t)i;
    }
    hold_stores(handle, 1);
    define_bytes(handle, 0);
}

static void create_composite(void)
{
    struct handle *handle = free_handle();
    if (handle != NULL) {
        *handle = (struct handle){.composite = true, .references = 1};
        handle->buffer = pm_buf_create_composite();
        handle->max_capacity = pm_buf_max_capacity(handle->buffer);
    }
}

static void let_go(struct handle *handle)
{
    handle->references--;
    bool last = handle->references == 0;
    pm_buf *buffer = handle->buffer;
    if (last) {
        hold_stores(handle, -1);
        handle->buffer = NULL;
    }
    /* An owner that views still hold does not end with its last handle. */
    expect(pm_buf_release(buffer) == last || handle->owner);
}

static void retain(struct handle *handle)
{
    expect(pm_buf_retain(handle->buffer) == handle->buffer);
    handle->references++;
}

/* Others may hold the bytes: then growth is refused. */
static bool may_grow(const struct handle *handle)
{
    return handle->owner && pm_buf_references(handle->buffer) == 1;
}

static bool grows_to(struct handle *handle, size_t bytes)
{
    size_t old = handle->capacity;
    if (bytes <= handle->capacity - handle->writer) {
        return true;
    }
    if (bytes > handle->max_capacity - handle->writer || !may_grow(handle)) {
        return false;
    }
    handle->capacity = pm_buf_capacity(handle->buffer);
    expect(handle->capacity >= handle->writer + bytes && handle->capacity <= handle->max_capacity);
    if (old == 0) {
        hold_stores(handle, 1);
    }
    return true;
}

/* Growth keeps what is written; what lay beyond is undefined again. */
static void forget_beyond_writer(struct handle *handle)
{
    for (size_t i = handle->writer; i < handle->capacity; i++) {
        *byte_of(handle, i) = 0;
    }
    define_bytes(handle, handle->writer);
}

static void write_bytes(struct handle *handle)
{
    uint8_t bytes[64];
    size_t count = take(sizeof(bytes));
    memset(bytes, (int)take(256), sizeof(bytes));
    size_t old_capacity = handle->capacity;
    bool done = pm_buf_write_bytes(handle->buffer, bytes, count);
    expect(done == grows_to(handle, count));
    if (done) {
        for (size_t i = 0; i < count; i++) {
            *byte_of(handle, handle->writer + i) = bytes[i];
        }
        handle->writer += count;
    }
    if (handle->capacity != old_capacity) {
        forget_beyond_writer(handle);
    }
}

static void reserve(struct handle *handle)
{
    size_t count = take(256);
    size_t old_capacity = handle->capacity;
    bool done = pm_buf_reserve(handle->buffer, count);
    expect(done == grows_to(handle, count));
    if (handle->capacity != old_capacity) {
        forget_beyond_writer(handle);
    }
}

static void read_bytes(struct handle *handle)
{
    uint8_t bytes[64];
    size_t count = take(sizeof(bytes));
    bool fits = count <= handle->writer - handle->reader;
    expect(pm_buf_read_bytes(handle->buffer, bytes, count) == fits);
    for (size_t i = 0; fits && i < count; i++) {
        expect(bytes[i] == *byte_of(handle, handle->reader + i));
    }
    handle->reader += fits ? count : 0;
}

static void set_uint(struct handle *handle)
{
    static const pm_layout layouts[] = {PM_U8,     PM_U16_BE, PM_U24_BE, PM_U32_BE, PM_U64_BE,
                                        PM_U16_LE, PM_U24_LE, PM_U32_LE, PM_U64_LE};
    pm_layout layout = layouts[take(9)];
    size_t width = (size_t)layout & 15;
    size_t index = take(256);
    uint64_t value = 0x1122334455667788U * (take(255) + 1);
    uint64_t mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << width * 8) - 1;
    uint64_t back = 0;
    bool fits = width <= handle->capacity && index <= handle->capacity - width;
    expect(pm_buf_set_uint(handle->buffer, index, layout, value) == fits);
    expect(pm_buf_get_uint(handle->buffer, index, layout, &back) == fits);
    for (size_t i = 0; fits && i < width; i++) {
        size_t shift = ((size_t)layout > 15 ? i : width - 1 - i) * 8;
        *byte_of(handle, index + i) = (uint8_t)(value >> shift);
    }
    expect(!fits || back == (value & mask) || handle->composite);
}

static void set_indexes(struct handle *handle)
{
    size_t reader = take(256);
    size_t writer = take(256);
    bool fits = reader <= writer && writer <= handle->capacity;
    expect(pm_buf_set_indexes(handle->buffer, reader, writer) == fits);
    if (fits) {
        handle->reader = reader;
        handle->writer = writer;
    }
}

static void slice(struct handle *handle)
{
    struct handle *view = free_handle();
    size_t index = take(256);
    size_t bytes = take(256);
    bool fits = index + bytes <= handle->capacity;
    if (view == NULL) {
        return;
    }
    *view = (struct handle){.capacity = bytes, .max_capacity = bytes, .writer = bytes};
    view->references = 1;
    view->composite = handle->composite;
    view->buffer = pm_buf_retained_slice(handle->buffer, index, bytes);
    expect((view->buffer != NULL) == fits);
    for (size_t i = 0; fits && i < bytes; i++) {
        view->store[i] = handle->store[index + i];
        view->offset[i] = handle->offset[index + i];
    }
    hold_stores(view, fits ? 1 : 0);
}

static void duplicate(struct handle *handle)
{
    struct handle *view = free_handle();
    if (view == NULL) {
        return;
    }
    *view = *handle;
    view->owner = false;
    view->references = 1;
    view->max_capacity = handle->capacity;
    view->buffer = pm_buf_retained_duplicate(handle->buffer);
    expect(view->buffer != NULL);
    hold_stores(view, 1);
}

static void add(struct handle *composite, struct handle *part)
{
    size_t bytes = part->writer - part->reader;
    bool fits = composite->composite && composite != part &&
                composite->writer == composite->capacity &&
                bytes <= composite->max_capacity - composite->capacity;
    if (composite->capacity + bytes > MAX_BYTES) {
        return;
    }
    expect(pm_buf_add(composite->buffer, part->buffer) == fits);
    if (!fits) {
        return;
    }
    hold_stores(composite, -1);
    for (size_t i = 0; i < bytes; i++) {
        composite->store[composite->capacity + i] = part->store[part->reader + i];
        composite->offset[composite->capacity + i] = part->offset[part->reader + i];
    }
    composite->capacity += bytes;
    composite->writer = composite->capacity;
    hold_stores(composite, 1);
    part->references--;
    if (part->references == 0) {
        hold_stores(part, -1);
        part->buffer = NULL;
    }
}

/* ---- Comparison ----------------------------------------------------------------------------- */

static void compare_vectors(const struct handle *handle)
{
    struct iovec vectors[MAX_BYTES];
    size_t index = handle->reader;
    size_t count = pm_buf_read_vectors(handle->buffer, vectors, MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = vectors[i].iov_base;
        expect(vectors[i].iov_len > 0);
        for (size_t j = 0; j < vectors[i].iov_len; j++) {
            expect(bytes[j] == *byte_of(handle, index));
            index++;
        }
    }
    expect(index == handle->writer);
}

static void compare(const struct handle *handle)
{
    uint8_t bytes[MAX_BYTES];
    expect(pm_buf_capacity(handle->buffer) == handle->capacity);
    expect(pm_buf_max_capacity(handle->buffer) == handle->max_capacity);
    expect(pm_buf_reader(handle->buffer) == handle->reader);
    expect(pm_buf_writer(handle->buffer) == handle->writer);
    expect(pm_buf_references(handle->buffer) >= handle->references);
    expect(pm_buf_get_bytes(handle->buffer, 0, bytes, handle->capacity));
    expect(!pm_buf_get_bytes(handle->buffer, 1, bytes, handle->capacity));
    for (size_t i = 0; i < handle->capacity; i++) {
        expect(bytes[i] == *byte_of(handle, i));
    }
    compare_vectors(handle);
}

static void step(void)
{
    unsigned action = take(12);
    struct handle *handle = live_handle();
    if (action == 0) {
        create();
    } else if (action == 1) {
        create_composite();
    } else if (handle == NULL) {
        return;
    } else if (action == 2 || (action == 3 && handle->references > 3)) {
        let_go(handle);
    } else if (action == 11) {
        struct handle *part = live_handle();
        if (part != NULL) {
            add(handle, part);
        }
    } else {
        static void (*const actions[])(struct handle *) = {
            retain, write_bytes, reserve, read_bytes, set_uint, set_indexes, slice, duplicate};
        actions[action - 3](handle);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    uint64_t live = pm_buf_get_stats().live;
    input.next = data;
    input.end = data + data_bytes;
    pm_set_checking(true);
    for (int i = 0; i < MAX_STEPS && input.next < input.end; i++) {
        step();
        for (int j = 0; j < HANDLES; j++) {
            if (handles[j].buffer != NULL) {
                compare(&handles[j]);
            }
        }
    }
    for (int i = 0; i < HANDLES; i++) {
        while (handles[i].buffer != NULL) {
            let_go(&handles[i]);
        }
    }
    expect(pm_buf_get_stats().live == live);
    return 0;
}
