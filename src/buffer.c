/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers: life, indexes, growth. */
#include "buffer.h"

#include "bits.h"
#include "leak.h"
#include "pool.h"
#include "tiers.h"

#include <errno.h>
#include <string.h>

enum {
    STORAGE_MIN_BYTES = 64,
    STORAGE_MAX_BYTES = 65536, /* larger blocks are left to the allocator and its caches */
    HANDLE_ALIGNMENT = 64,
};

#define MAX_REFERENCES (UINT32_MAX / 2)

/* Made by the first buffer; then const. */
static struct {
    _Atomic(pm_pool *) handles;
    _Atomic(pm_tiers *) storage;
    _Atomic uint32_t handles_made; /* relaxed, as the next: numbers of their own */
    _Atomic uint64_t copied_bytes;
} buffers;

/* ---- Pools ---------------------------------------------------------------------------------- */

/* A handle's lives are counted from its number on, so that leak sampling by lives catches one in so
 * many of new handles too. */
static void *construct_handle(void *memory, void *context)
{
    (void)context;
    struct pm_buf *buffer = memset(memory, 0, sizeof(*buffer));
    buffer->use_count = atomic_fetch_add_explicit(&buffers.handles_made, 1, memory_order_relaxed);
    return buffer;
}

COLD NOINLINE static pm_pool *make_handles(void)
{
    pm_pool_options options = {.object_bytes = sizeof(struct pm_buf),
                               .alignment = HANDLE_ALIGNMENT,
                               .construct = construct_handle,
                               .name = "buffer handles"};
    pm_pool *pool = pool_prepare(&options);
    pm_pool *existing = NULL;
    if (pool == NULL) {
        return NULL;
    }
    pool->keeps_all = true;
    pool_publish(pool);
    /* release: pairs with the acquire in handles() */
    if (atomic_compare_exchange_strong(&buffers.handles, &existing, pool)) {
        return pool;
    }
    pm_pool_destroy(pool);
    return existing;
}

static pm_pool *handles(void)
{
    pm_pool *pool = atomic_load_explicit(&buffers.handles, memory_order_acquire);
    return likely(pool != NULL) ? pool : make_handles();
}

COLD NOINLINE static pm_tiers *make_storage(void)
{
    pm_tiers *tiers = pm_tiers_create(STORAGE_MIN_BYTES, STORAGE_MAX_BYTES);
    pm_tiers *existing = NULL;
    if (tiers == NULL || atomic_compare_exchange_strong(&buffers.storage, &existing, tiers)) {
        return tiers;
    }
    pm_tiers_destroy(tiers);
    return existing;
}

static pm_tiers *storage(void)
{
    pm_tiers *tiers = atomic_load_explicit(&buffers.storage, memory_order_acquire);
    return likely(tiers != NULL) ? tiers : make_storage();
}

/* ---- Life ----------------------------------------------------------------------------------- */

struct pm_buf *buffer_take_handle(enum buffer_kind kind)
{
    pm_pool *pool = handles();
    struct pm_buf *buffer = pool == NULL ? NULL : pm_pool_get(pool);
    if (buffer == NULL) {
        return NULL;
    }
    uint32_t use_count = buffer->use_count + 1;
    memset(buffer, 0, sizeof(*buffer));
    buffer->use_count = use_count;
    buffer->kind = kind;
    atomic_store_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

PUBLIC pm_buf *pm_buf_create_at(size_t bytes, size_t max_bytes, const char *where)
{
    if (bytes > max_bytes || max_bytes > PTRDIFF_MAX) {
        errno = EINVAL;
        return NULL;
    }
    pm_tiers *tiers = storage();
    void *block = tiers == NULL ? NULL : pm_tiers_get(tiers, bytes);
    struct pm_buf *buffer = block == NULL ? NULL : buffer_take_handle(BUFFER_OWNER);
    if (buffer == NULL) {
        pm_free(block);
        return NULL;
    }
    size_t block_bytes = tiers_round_up(tiers, bytes);
    buffer->bytes = block;
    buffer->capacity = block_bytes < max_bytes ? block_bytes : max_bytes;
    buffer->max_capacity = max_bytes;
    buffer->leak = leak_open(where, bytes, buffer->use_count);
    return buffer;
}

PUBLIC pm_buf *pm_buf_create_composite_at(const char *where)
{
    struct pm_buf *buffer = buffer_take_handle(BUFFER_COMPOSITE);
    if (buffer != NULL) {
        buffer->max_capacity = PTRDIFF_MAX;
        buffer->leak = leak_open(where, 0, buffer->use_count);
    }
    return buffer;
}

PUBLIC pm_buf *pm_buf_retain(pm_buf *buffer)
{
    /* relaxed: the caller's own reference keeps the buffer alive */
    uint32_t before = atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    if (unlikely(before == 0 || before > MAX_REFERENCES)) {
        atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_relaxed);
        misuse(MISUSE_BUFFER_RELEASED, buffer);
        return NULL;
    }
    if (unlikely(buffer->leak != NULL)) {
        leak_touch(buffer->leak, "retain", NULL, __builtin_return_address(0));
    }
    return buffer;
}

static void put_storage(uint8_t *block, size_t capacity)
{
    pm_tiers *tiers = storage();
    tiers_put_sized(tiers, block, tiers_round_up(tiers, capacity));
}

static void end_parts(struct pm_buf *buffer)
{
    for (uint32_t i = 0; i < buffer->part_count; i++) {
        pm_buf_release(buffer->parts[i].owner);
    }
    pm_free(buffer->parts);
}

static void end(struct pm_buf *buffer)
{
    if (unlikely(buffer->leak != NULL)) {
        leak_close(buffer->leak);
    }
    if (buffer->copied_bytes != 0) {
        atomic_fetch_add_explicit(&buffers.copied_bytes, buffer->copied_bytes,
                                  memory_order_relaxed);
    }
    switch (buffer->kind) {
    case BUFFER_OWNER:
        put_storage(buffer->bytes, buffer->capacity);
        break;
    case BUFFER_VIEW:
        pm_buf_release(buffer->root);
        break;
    case BUFFER_COMPOSITE:
        end_parts(buffer);
    }
    pm_pool_put(handles(), buffer);
}

/* Gives a reference up. True if it was the last. */
static bool drop_reference(struct pm_buf *buffer)
{
    /* acquire: pairs with the releases below, so the last holder sees what the others wrote */
    uint32_t count = atomic_load_explicit(&buffer->references, memory_order_acquire);
    if (likely(count == 1)) {
        /* Nobody else holds it, so nobody else may touch the count. */
        atomic_store_explicit(&buffer->references, 0, memory_order_relaxed);
        return true;
    }
    do {
        if (unlikely(count == 0)) {
            misuse(MISUSE_DOUBLE_RELEASE, buffer);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&buffer->references, &count, count - 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    return count == 1;
}

PUBLIC bool pm_buf_release(pm_buf *buffer)
{
    if (buffer == NULL) {
        return false;
    }
    if (unlikely(buffer->leak != NULL && pm_buf_references(buffer) > 1)) {
        leak_touch(buffer->leak, "release", NULL, __builtin_return_address(0));
    }
    if (!drop_reference(buffer)) {
        return false;
    }
    end(buffer);
    return true;
}

PUBLIC uint32_t pm_buf_references(const pm_buf *buffer)
{
    return atomic_load_explicit(&buffer->references, memory_order_relaxed);
}

PUBLIC void pm_buf_touch_at(pm_buf *buffer, const char *where)
{
    if (buffer_is_held(buffer) && buffer->leak != NULL) {
        leak_touch(buffer->leak, "touch", where, NULL);
    }
}

/* ---- Indexes -------------------------------------------------------------------------------- */

bool buffer_fits(size_t index, size_t bytes, size_t limit)
{
    if (likely(bytes <= limit && index <= limit - bytes)) {
        return true;
    }
    errno = ERANGE;
    return false;
}

PUBLIC size_t pm_buf_capacity(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->capacity : 0;
}

PUBLIC size_t pm_buf_max_capacity(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->max_capacity : 0;
}

PUBLIC size_t pm_buf_reader(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->reader : 0;
}

PUBLIC size_t pm_buf_writer(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->writer : 0;
}

PUBLIC size_t pm_buf_readable(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->writer - buffer->reader : 0;
}

PUBLIC size_t pm_buf_writable(const pm_buf *buffer)
{
    return buffer_is_held(buffer) ? buffer->capacity - buffer->writer : 0;
}

PUBLIC bool pm_buf_set_indexes(pm_buf *buffer, size_t reader, size_t writer)
{
    if (!buffer_is_held(buffer) || !buffer_fits(reader, 0, writer) ||
        !buffer_fits(writer, 0, buffer->capacity)) {
        return false;
    }
    buffer->reader = reader;
    buffer->writer = writer;
    return true;
}

PUBLIC bool pm_buf_skip(pm_buf *buffer, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(buffer->reader, bytes, buffer->writer)) {
        return false;
    }
    buffer->reader += bytes;
    return true;
}

PUBLIC bool pm_buf_commit(pm_buf *buffer, size_t bytes)
{
    if (!buffer_is_held(buffer) || !buffer_fits(buffer->writer, bytes, buffer->capacity)) {
        return false;
    }
    buffer->writer += bytes;
    return true;
}

/* ---- Growth --------------------------------------------------------------------------------- */

COLD NOINLINE static bool move_to_larger(struct pm_buf *buffer, size_t needed)
{
    pm_tiers *tiers = storage();
    size_t wanted =
        tiers_round_up(tiers, needed > buffer->capacity * 2 ? needed : buffer->capacity * 2);
    size_t capacity = wanted < buffer->max_capacity ? wanted : buffer->max_capacity;
    uint8_t *block = pm_tiers_get(tiers, capacity);
    if (block == NULL) {
        return false;
    }
    memcpy(block, buffer->bytes, buffer->writer);
    buffer->copied_bytes += buffer->writer;
    put_storage(buffer->bytes, buffer->capacity);
    buffer->bytes = block;
    buffer->capacity = capacity;
    return true;
}

PUBLIC bool pm_buf_reserve(pm_buf *buffer, size_t bytes)
{
    if (!buffer_is_held(buffer)) {
        return false;
    }
    if (likely(bytes <= buffer->capacity - buffer->writer)) {
        return true;
    }
    if (!buffer_fits(buffer->writer, bytes, buffer->max_capacity)) {
        return false;
    }
    /* acquire: pairs with the release of whoever held it before, whose reads of the bytes end */
    if (buffer->kind != BUFFER_OWNER ||
        atomic_load_explicit(&buffer->references, memory_order_acquire) != 1) {
        errno = EBUSY;
        return false;
    }
    return move_to_larger(buffer, buffer->writer + bytes);
}

/* ---- Statistics ----------------------------------------------------------------------------- */

PUBLIC pm_buf_stats pm_buf_get_stats(void)
{
    pm_pool *pool = handles();
    pm_tiers *tiers = storage();
    if (pool == NULL || tiers == NULL) {
        return (pm_buf_stats){0};
    }
    pm_pool_stats of_handles = pm_pool_get_stats(pool);
    pm_pool_stats of_storage = pm_tiers_get_stats(tiers);
    /* A get that failed for want of memory made no handle. */
    uint64_t made = atomic_load_explicit(&buffers.handles_made, memory_order_relaxed);
    return (pm_buf_stats){
        .live = minus(of_handles.hits + made, of_handles.puts),
        .created = of_handles.hits + made,
        .handle_misses = made,
        .storage_gets = of_storage.gets,
        .storage_misses = of_storage.misses,
        .copied_bytes = atomic_load_explicit(&buffers.copied_bytes, memory_order_relaxed),
    };
}
