/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers: examples of every function, counts, misuse, threads, leak reports. Random programs
 * against a model are in tests/fuzz/buffer.c. */
#include "poolmalloc.h"
#include "dies.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

/* ---- Bytes and integers --------------------------------------------------------------------- */

static void integers_lie_as_their_layout_says(void)
{
    static const struct {
        pm_layout layout;
        uint8_t bytes[8];
    } rows[] = {
        {PM_U8, {0x88}},
        {PM_U16_BE, {0x77, 0x88}},
        {PM_U24_BE, {0x66, 0x77, 0x88}},
        {PM_U32_BE, {0x55, 0x66, 0x77, 0x88}},
        {PM_U64_BE, {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}},
        {PM_U16_LE, {0x88, 0x77}},
        {PM_U24_LE, {0x88, 0x77, 0x66}},
        {PM_U32_LE, {0x88, 0x77, 0x66, 0x55}},
        {PM_U64_LE, {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t width = (size_t)rows[i].layout & 15;
        size_t readable;
        uint64_t value = 0;
        pm_buf *buffer = pm_buf_create(0, 100);
        CU_ASSERT_TRUE(pm_buf_write_uint(buffer, rows[i].layout, 0x1122334455667788));
        CU_ASSERT_EQUAL(memcmp(pm_buf_read_span(buffer, &readable), rows[i].bytes, width), 0);
        CU_ASSERT_EQUAL(readable, width);
        CU_ASSERT_TRUE(pm_buf_read_uint(buffer, rows[i].layout, &value));
        CU_ASSERT_EQUAL(value, 0x1122334455667788 & (UINT64_MAX >> (64 - width * 8)));
        CU_ASSERT_FALSE(pm_buf_read_uint(buffer, rows[i].layout, &value));
        CU_ASSERT_EQUAL(errno, ERANGE);
        pm_buf_release(buffer);
    }
}

static void layouts_that_do_not_exist_are_refused(void)
{
    uint64_t value;
    pm_buf *buffer = pm_buf_create(64, 64);
    for (int layout = 0; layout < 64; layout++) {
        int width = layout & 15;
        bool exists = layout < 32 && width >= 1 && width <= 8;
        CU_ASSERT_EQUAL(pm_buf_get_uint(buffer, 0, (pm_layout)layout, &value), exists);
    }
    pm_buf_release(buffer);
}

static void grows_to_the_maximum_and_no_further(void)
{
    char bytes[1000];
    char back[1000];
    memset(bytes, 7, sizeof(bytes));
    pm_buf *buffer = pm_buf_create(10, 1000);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_TRUE(pm_buf_write_bytes(buffer, bytes, 100));
    }
    CU_ASSERT_FALSE(pm_buf_write_bytes(buffer, bytes, 1));
    CU_ASSERT_EQUAL(errno, ERANGE);
    CU_ASSERT_EQUAL(pm_buf_capacity(buffer), 1000);
    CU_ASSERT_TRUE(pm_buf_read_bytes(buffer, back, 1000));
    CU_ASSERT_EQUAL(memcmp(bytes, back, 1000), 0);
    CU_ASSERT_PTR_NULL(pm_buf_create(11, 10));
    CU_ASSERT_EQUAL(errno, EINVAL);
    pm_buf_release(buffer);
}

static void does_not_move_bytes_that_others_hold(void)
{
    pm_buf *buffer = pm_buf_create(64, 1000);
    pm_buf *slice = pm_buf_retained_slice(buffer, 0, 10);
    CU_ASSERT_FALSE(pm_buf_reserve(buffer, 65));
    CU_ASSERT_EQUAL(errno, EBUSY);
    CU_ASSERT_FALSE(pm_buf_reserve(slice, 1));
    pm_buf_release(slice);
    CU_ASSERT_TRUE(pm_buf_reserve(buffer, 65));
    pm_buf_release(buffer);
}

/* ---- Views and composites ------------------------------------------------------------------- */

static pm_buf *buffer_of(const char *text)
{
    pm_buf *buffer = pm_buf_create(strlen(text), strlen(text));
    pm_buf_write_bytes(buffer, text, strlen(text));
    return buffer;
}

static bool reads_as(pm_buf *buffer, const char *text)
{
    char bytes[200] = "";
    return pm_buf_readable(buffer) == strlen(text) &&
           pm_buf_get_bytes(buffer, pm_buf_reader(buffer), bytes, strlen(text)) &&
           strcmp(bytes, text) == 0;
}

static void slices_share_bytes_and_hold_the_owner(void)
{
    size_t bytes;
    pm_buf *buffer = buffer_of("hello world");
    pm_buf *world = pm_buf_retained_slice(buffer, 6, 5);
    CU_ASSERT_TRUE(reads_as(world, "world"));
    CU_ASSERT_EQUAL(pm_buf_references(buffer), 2);
    CU_ASSERT_PTR_EQUAL(pm_buf_read_span(world, &bytes), pm_buf_read_span(buffer, &bytes) + 6);
    CU_ASSERT_FALSE(pm_buf_release(buffer));
    CU_ASSERT_TRUE(reads_as(world, "world"));
    pm_buf * or = pm_buf_slice(world, 1, 2); /* takes the reference of `world` along */
    CU_ASSERT_EQUAL(pm_buf_references(world), 0);
    CU_ASSERT_TRUE(reads_as(or, "or"));
    CU_ASSERT_TRUE(pm_buf_release(or));
    CU_ASSERT_EQUAL(pm_buf_references(buffer), 0);
    CU_ASSERT_EQUAL(pm_buf_get_stats().live, 0);
}

static void slices_beyond_the_capacity_are_refused(void)
{
    pm_buf *buffer = pm_buf_create(64, 64);
    CU_ASSERT_PTR_NULL(pm_buf_slice(buffer, 60, 5));
    CU_ASSERT_PTR_NULL(pm_buf_slice(buffer, SIZE_MAX, 2));
    CU_ASSERT_PTR_NULL(pm_buf_read_slice(buffer, 1));
    CU_ASSERT_EQUAL(pm_buf_references(buffer), 1);
    pm_buf_release(buffer);
}

static void duplicates_have_indexes_of_their_own(void)
{
    pm_buf *buffer = buffer_of("abcdef");
    pm_buf_skip(buffer, 2);
    pm_buf *twin = pm_buf_retained_duplicate(buffer);
    CU_ASSERT_TRUE(reads_as(twin, "cdef"));
    pm_buf_skip(twin, 2);
    CU_ASSERT_TRUE(reads_as(twin, "ef"));
    CU_ASSERT_TRUE(reads_as(buffer, "cdef"));
    pm_buf_release(twin);
    twin = pm_buf_duplicate(buffer);
    CU_ASSERT_TRUE(reads_as(twin, "cdef"));
    CU_ASSERT_TRUE(pm_buf_release(twin));
    CU_ASSERT_EQUAL(pm_buf_get_stats().live, 0);
}

static pm_buf *hello_world(void)
{
    pm_buf *composite = pm_buf_create_composite();
    CU_ASSERT_TRUE(pm_buf_add(composite, buffer_of("hel")));
    CU_ASSERT_TRUE(pm_buf_add(composite, buffer_of("")));
    CU_ASSERT_TRUE(pm_buf_add(composite, buffer_of("lo wor")));
    CU_ASSERT_TRUE(pm_buf_add(composite, buffer_of("ld")));
    return composite;
}

static void composites_read_across_their_parts(void)
{
    uint64_t value;
    struct iovec vectors[8];
    pm_buf *composite = hello_world();
    CU_ASSERT_TRUE(reads_as(composite, "hello world"));
    CU_ASSERT_EQUAL(pm_buf_read_vectors(composite, vectors, 8), 3);
    CU_ASSERT_EQUAL(pm_buf_read_vectors(composite, vectors, 2), 2);
    CU_ASSERT_TRUE(pm_buf_get_uint(composite, 2, PM_U16_BE, &value));
    CU_ASSERT_EQUAL(value, 'l' << 8 | 'l');
    pm_buf *middle = pm_buf_retained_slice(composite, 2, 8);
    pm_buf_release(composite);
    CU_ASSERT_TRUE(reads_as(middle, "llo worl"));
    pm_buf *outer = pm_buf_create_composite();
    CU_ASSERT_TRUE(pm_buf_add(outer, buffer_of("<")));
    CU_ASSERT_TRUE(pm_buf_add(outer, middle));
    CU_ASSERT_TRUE(pm_buf_add(outer, buffer_of(">")));
    CU_ASSERT_TRUE(reads_as(outer, "<llo worl>"));
    pm_buf_release(outer);
    CU_ASSERT_EQUAL(pm_buf_get_stats().live, 0);
}

static void composites_refuse_what_makes_no_sense(void)
{
    pm_buf *plain = buffer_of("plain");
    pm_buf *composite = hello_world();
    CU_ASSERT_FALSE(pm_buf_add(plain, composite));
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_FALSE(pm_buf_add(composite, composite));
    CU_ASSERT_TRUE(pm_buf_set_indexes(composite, 0, 3));
    CU_ASSERT_FALSE(pm_buf_add(composite, plain));
    CU_ASSERT_EQUAL(errno, ERANGE);
    pm_buf_release(composite);
    pm_buf_release(plain);
}

static void vectors_go_through_a_socket(void)
{
    int ends[2];
    struct iovec vectors[8];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pm_buf *composite = hello_world();
    size_t count = pm_buf_read_vectors(composite, vectors, 8);
    CU_ASSERT_EQUAL(writev(ends[0], vectors, (int)count), 11);
    pm_buf *target = pm_buf_create(64, 64);
    count = pm_buf_write_vectors(target, vectors, 8);
    CU_ASSERT_EQUAL(readv(ends[1], vectors, (int)count), 11);
    CU_ASSERT_TRUE(pm_buf_commit(target, 11));
    CU_ASSERT_TRUE(reads_as(target, "hello world"));
    pm_buf_release(target);
    pm_buf_release(composite);
}

/* ---- Pools ---------------------------------------------------------------------------------- */

static void handles_and_bytes_are_recycled(void)
{
    pm_buf_release(pm_buf_create(1000, 1000));
    pm_buf_stats before = pm_buf_get_stats();
    for (int i = 0; i < 1000; i++) {
        pm_buf *buffer = pm_buf_create(1000, 1000);
        pm_buf_release(pm_buf_slice(buffer, 0, 10));
    }
    pm_buf_stats after = pm_buf_get_stats();
    CU_ASSERT_EQUAL(after.created - before.created, 2000);
    CU_ASSERT_EQUAL(after.handle_misses - before.handle_misses, 1); /* the slice's, once */
    CU_ASSERT_EQUAL(after.storage_misses, before.storage_misses);
    CU_ASSERT_EQUAL(after.copied_bytes, before.copied_bytes);
    CU_ASSERT_EQUAL(after.live, 0);
}

static void copied_bytes_are_counted(void)
{
    char bytes[100];
    pm_buf *buffer = pm_buf_create(64, 1000);
    pm_buf_write_bytes(buffer, bytes, 50);
    pm_buf_write_bytes(buffer, bytes, 50); /* moves 50 */
    pm_buf_read_bytes(buffer, bytes, 30);
    pm_buf_release(buffer);
    CU_ASSERT_EQUAL(pm_buf_get_stats().copied_bytes, 50 + 50 + 50 + 30);
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static void misuse_is_counted_and_harmless(void)
{
    size_t bytes;
    pm_buf *buffer = pm_buf_create(10, 10);
    pm_buf_release(buffer);
    CU_ASSERT_FALSE(pm_buf_release(buffer));
    CU_ASSERT_PTR_NULL(pm_buf_retain(buffer));
    CU_ASSERT_EQUAL(pm_buf_capacity(buffer), 0);
    CU_ASSERT_FALSE(pm_buf_write_bytes(buffer, "x", 1));
    CU_ASSERT_PTR_NULL(pm_buf_read_span(buffer, &bytes));
    CU_ASSERT_PTR_NULL(pm_buf_slice(buffer, 0, 0));
    CU_ASSERT_EQUAL(pm_misuse_count(), 6);
    CU_ASSERT_FALSE(pm_buf_release(NULL));
    CU_ASSERT_PTR_EQUAL(pm_buf_create(10, 10), buffer);
    CU_ASSERT_PTR_NOT_EQUAL(pm_buf_create(10, 10), buffer);
    CU_ASSERT_EQUAL(pm_misuse_count(), 6);
}

static void release_twice(void)
{
    pm_set_checking(true);
    pm_buf *buffer = pm_buf_create(10, 10);
    pm_buf_release(buffer);
    pm_buf_release(buffer);
}

static void use_after_release(void)
{
    pm_set_checking(true);
    pm_buf *buffer = pm_buf_create(10, 10);
    pm_buf_release(buffer);
    pm_buf_skip(buffer, 0);
}

static void misuse_is_fatal_in_checking_mode(void)
{
    CU_ASSERT_TRUE(
        dies_saying(release_twice, "poolmalloc: fatal: buffer released too often: 0x", ""));
    CU_ASSERT_TRUE(
        dies_saying(use_after_release, "poolmalloc: fatal: buffer used after release: 0x", ""));
}

/* ---- Threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000 };

static void *retain_and_release(void *shared)
{
    for (int i = 0; i < ROUNDS; i++) {
        pm_buf *view = pm_buf_retained_slice(shared, 0, 10);
        pm_buf_retain(shared);
        pm_buf_release(view);
        pm_buf_release(shared);
    }
    pm_buf_release(shared);
    return NULL;
}

static void count_is_exact_under_threads(void)
{
    pthread_t threads[THREADS];
    pm_buf *shared = pm_buf_create(10, 10);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, retain_and_release, pm_buf_retain(shared));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(pm_buf_references(shared), 1);
    CU_ASSERT_TRUE(pm_buf_release(shared));
    CU_ASSERT_EQUAL(pm_buf_get_stats().live, 0);
    CU_ASSERT_EQUAL(pm_misuse_count(), 0);
}

static const struct test tests[] = {
    {"integers lie as their layout says", integers_lie_as_their_layout_says},
    {"layouts that do not exist are refused", layouts_that_do_not_exist_are_refused},
    {"a buffer grows to its maximum and no further", grows_to_the_maximum_and_no_further},
    {"bytes that others hold do not move", does_not_move_bytes_that_others_hold},
    {"slices share bytes and hold the owner", slices_share_bytes_and_hold_the_owner},
    {"slices beyond the capacity are refused", slices_beyond_the_capacity_are_refused},
    {"duplicates have indexes of their own", duplicates_have_indexes_of_their_own},
    {"composites read across their parts", composites_read_across_their_parts},
    {"composites refuse what makes no sense", composites_refuse_what_makes_no_sense},
    {"vectors go through a socket", vectors_go_through_a_socket},
    {"handles and bytes are recycled", handles_and_bytes_are_recycled},
    {"copied bytes are counted", copied_bytes_are_counted},
    {"misuse is counted and harmless", misuse_is_counted_and_harmless},
    {"misuse is fatal in checking mode", misuse_is_fatal_in_checking_mode},
    {"the count is exact under threads", count_is_exact_under_threads},
    {NULL, NULL},
};

int main(void)
{
    return test_main("buffer", tests);
}
