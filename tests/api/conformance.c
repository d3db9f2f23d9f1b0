/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libc's allocating functions promise, kind by kind, through libc's own names: results, errno,
 * alignment, contents, and the traps that other allocators fell into. */
#include "check.h"

#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Impossible sizes, and blocks that a failed realloc left alone, are what this is about. */
#ifdef __clang__
#pragma clang optimize off
#else
#pragma GCC diagnostic ignored "-Walloc-size-larger-than="
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

void *pvalloc(size_t bytes);
void free_sized(void *block, size_t bytes);
void free_aligned_sized(void *block, size_t alignment, size_t bytes);

enum { UNTOUCHED = 12345 };

/* Read at run time, so that the compiler leaves no call out. */
static volatile size_t zero;
static void *volatile sink;

static bool is_aligned(const void *block, size_t alignment)
{
    return ((uintptr_t)block & (alignment - 1)) == 0;
}

static bool is_filled(const void *block, int value, size_t bytes)
{
    const unsigned char *at = block;
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != value) {
            return false;
        }
    }
    return true;
}

/* A block of every kind of size: distinct, aligned, usable to its end. */
static void check_block(void *block, size_t bytes, size_t alignment)
{
    CHECK(block != NULL);
    CHECK(is_aligned(block, alignment));
    CHECK(malloc_usable_size(block) >= bytes);
    memset(block, 0x5a, malloc_usable_size(block));
    free(block);
}

static const size_t sizes[] = {0,       1,       15,      16,       17,
                               100,     511,     512,     513,      1024,
                               4095,    4096,    4097,    8192,     32767,
                               32768,   32769,   40960,   65536,    262144,
                               262145,  1 << 20, 5 << 20, 16 << 20, (16 << 20) + 1,
                               40 << 20};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]) };

/* ---- malloc, calloc, realloc ---------------------------------------------------------------- */

static void malloc_gives_aligned_usable_blocks(void)
{
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        check_block(malloc(sizes[i]), sizes[i], alignof(max_align_t));
    }
    void *first = malloc(zero);
    void *second = malloc(zero);
    CHECK(first != NULL && second != NULL && first != second);
    free(first);
    free(second);
}

static void calloc_clears_what_was_used_before(void)
{
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        unsigned char *used = malloc(sizes[i]);
        memset(used, 0xff, sizes[i]);
        free(used);
        unsigned char *clear = calloc(1, sizes[i]);
        CHECK(clear != NULL && is_filled(clear, 0, sizes[i]));
        free(clear);
        clear = calloc(sizes[i], 1);
        CHECK(clear != NULL && is_filled(clear, 0, sizes[i]));
        free(clear);
    }
}

static void realloc_keeps_contents_between_all_sizes(void)
{
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        for (unsigned j = 0; j < SIZE_COUNT; j += 3) {
            size_t kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
            void *block = malloc(sizes[i]);
            memset(block, 0x77, sizes[i]);
            void *resized = realloc(block, sizes[j] == 0 ? 1 : sizes[j]);
            CHECK(resized != NULL && is_filled(resized, 0x77, kept));
            CHECK(is_aligned(resized, alignof(max_align_t)));
            free(resized);
        }
    }
}

static void realloc_of_null_and_to_zero(void)
{
    void *block = realloc(NULL, 100);
    CHECK(block != NULL);
    errno = UNTOUCHED;
    CHECK(realloc(block, zero) == NULL); /* as glibc: freed */
    CHECK(errno == UNTOUCHED);
    block = realloc(NULL, zero);
    CHECK(block != NULL);
    free(block);
}

static void realloc_that_fails_keeps_the_block(void)
{
    for (unsigned i = 1; i < SIZE_COUNT; i++) {
        void *block = malloc(sizes[i]);
        memset(block, 0x33, sizes[i]);
        errno = 0;
        CHECK(realloc(block, (size_t)PTRDIFF_MAX + zero) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(realloc(block, SIZE_MAX - zero) == NULL && errno == ENOMEM);
        CHECK(is_filled(block, 0x33, sizes[i]));
        free(block);
    }
}

static void reallocarray_checks_its_product(void)
{
    void *block = reallocarray(NULL, 10, 10);
    CHECK(block != NULL && malloc_usable_size(block) >= 100);
    memset(block, 0x44, 100);
    block = reallocarray(block, 100, 10);
    CHECK(block != NULL && malloc_usable_size(block) >= 1000 && is_filled(block, 0x44, 100));
    static const size_t factors[][2] = {
        {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {(size_t)1 << 32, (size_t)1 << 32}};
    for (unsigned i = 0; i < 4; i++) {
        errno = 0;
        CHECK(reallocarray(block, factors[i][0], factors[i][1]) == NULL && errno == ENOMEM);
        CHECK(is_filled(block, 0x44, 100));
    }
    free(block);
}

/* ---- Aligned forms -------------------------------------------------------------------------- */

static void aligned_forms_give_every_alignment(void)
{
    for (size_t alignment = sizeof(void *); alignment <= (size_t)64 << 20; alignment *= 2) {
        for (unsigned i = 0; i < SIZE_COUNT; i += 3) {
            void *block = NULL;
            errno = UNTOUCHED;
            CHECK(posix_memalign(&block, alignment, sizes[i]) == 0 && errno == UNTOUCHED);
            check_block(block, sizes[i], alignment);
            check_block(aligned_alloc(alignment, sizes[i]), sizes[i], alignment);
            check_block(memalign(alignment, sizes[i]), sizes[i], alignment);
        }
    }
}

static void page_forms_give_whole_pages(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        check_block(valloc(sizes[i]), sizes[i], page_bytes);
        size_t whole = (sizes[i] + page_bytes - 1) / page_bytes * page_bytes;
        check_block(pvalloc(sizes[i]), whole, page_bytes);
    }
    errno = 0;
    CHECK(pvalloc(SIZE_MAX - zero) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(pvalloc(SIZE_MAX - page_bytes + 2) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(valloc(SIZE_MAX - zero) == NULL && errno == ENOMEM);
}

static void posix_memalign_leaves_errno_and_block_alone(void)
{
    static const size_t bad_alignments[] = {0, 1, 2, 4, 3, 24, 100, SIZE_MAX};
    for (unsigned i = 0; i < sizeof(bad_alignments) / sizeof(bad_alignments[0]); i++) {
        void *block = (void *)&sink;
        errno = UNTOUCHED;
        CHECK(posix_memalign(&block, bad_alignments[i] + zero, 100) == EINVAL);
        CHECK(block == (void *)&sink && errno == UNTOUCHED);
    }
    static const size_t bad_sizes[] = {SIZE_MAX, SIZE_MAX - 63, PTRDIFF_MAX};
    for (unsigned i = 0; i < 3; i++) {
        void *block = (void *)&sink;
        errno = UNTOUCHED;
        CHECK(posix_memalign(&block, 64, bad_sizes[i] - zero) == ENOMEM);
        CHECK(block == (void *)&sink && errno == UNTOUCHED);
    }
}

static void aligned_forms_fail_with_errno(void)
{
    for (size_t alignment = 8; alignment != 0; alignment *= 2) {
        errno = 0;
        CHECK(aligned_alloc(alignment, SIZE_MAX - zero) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(memalign(alignment, SIZE_MAX - alignment + 1) == NULL && errno == ENOMEM);
    }
    errno = 0;
    CHECK(aligned_alloc(48 + zero, 100) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(memalign(SIZE_MAX - zero, 100) == NULL && errno == EINVAL);
    void *rounded = memalign(48 + zero, 100); /* as glibc: to the next power of two */
    CHECK(rounded != NULL && is_aligned(rounded, 64));
    free(rounded);
}

/* ---- Sizes nobody has ----------------------------------------------------------------------- */

static void too_large_sizes_fail_with_enomem(void)
{
    for (size_t below = 0; below < 70000; below += 997) {
        errno = 0;
        CHECK((sink = malloc(SIZE_MAX - below)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK((sink = malloc((size_t)PTRDIFF_MAX + 1 - below % 2)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK((sink = calloc(1, SIZE_MAX - below)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK((sink = realloc(NULL, SIZE_MAX - below)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK((sink = memalign(64, SIZE_MAX - below)) == NULL && errno == ENOMEM);
    }
}

static void calloc_checks_its_product(void)
{
    static const size_t factors[][2] = {{SIZE_MAX, SIZE_MAX},
                                        {SIZE_MAX, 2},
                                        {SIZE_MAX / 2 + 1, 2},
                                        {(size_t)1 << 32, (size_t)1 << 32},
                                        {((size_t)1 << 32) + 1, (size_t)1 << 32},
                                        {PTRDIFF_MAX, 1},
                                        {3, SIZE_MAX / 3 + 1}};
    for (unsigned i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        errno = 0;
        CHECK((sink = calloc(factors[i][0], factors[i][1])) == NULL && errno == ENOMEM);
    }
    CHECK((sink = calloc(zero, SIZE_MAX)) != NULL);
    free(sink);
}

/* ---- free ----------------------------------------------------------------------------------- */

static void free_keeps_errno(void)
{
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        void *block = malloc(sizes[i]);
        errno = UNTOUCHED;
        free(block);
        CHECK(errno == UNTOUCHED);
        block = malloc(sizes[i]);
        errno = UNTOUCHED;
        free_sized(block, sizes[i]);
        CHECK(errno == UNTOUCHED);
        block = aligned_alloc(64, sizes[i]);
        errno = UNTOUCHED;
        free_aligned_sized(block, 64, sizes[i]);
        CHECK(errno == UNTOUCHED);
    }
    errno = UNTOUCHED;
    free(NULL);
    free_sized(NULL, 0);
    free_aligned_sized(NULL, 64, 10);
    CHECK(errno == UNTOUCHED);
}

/* Success may change errno, but programs that test it after malloc are common: it stays. */
static void success_keeps_errno(void)
{
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        errno = UNTOUCHED;
        void *block = malloc(sizes[i]);
        CHECK(errno == UNTOUCHED);
        free(block);
    }
}

static void usable_size_can_be_used(void)
{
    CHECK(malloc_usable_size(NULL) == 0);
    for (size_t bytes = 0; bytes < 70000; bytes += bytes < 600 ? 1 : 555) {
        char *block = malloc(bytes);
        char *neighbour = malloc(bytes);
        size_t usable = malloc_usable_size(block);
        memset(neighbour, 1, malloc_usable_size(neighbour));
        memset(block, 2, usable);
        CHECK(usable >= bytes && is_filled(neighbour, 1, malloc_usable_size(neighbour)));
        char *same = realloc(block, usable); /* the whole of it: stays where it is */
        CHECK(same == block);
        free(same);
        free(neighbour);
    }
}

/* A stack of blocks, freed in other orders than allocated, keeps its contents. */
static void contents_survive_random_traffic(void)
{
    enum { LIVE = 500, ROUNDS = 100000 };
    static unsigned char *live[LIVE];
    static size_t bytes[LIVE];
    uint32_t state = 1;
    unsigned damaged = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        state = state * 1664525U + 1013904223U;
        unsigned index = (state >> 8) % LIVE;
        damaged += live[index] != NULL && (live[index][0] != (index & 0xff) ||
                                           live[index][bytes[index] - 1] != (index & 0xff));
        bytes[index] = (state >> 12) % (i % 100 == 0 ? 300000 : 2000) + 1;
        if (i % 3 == 0) {
            live[index] = realloc(live[index], bytes[index]);
        } else {
            free(live[index]);
            live[index] = i % 3 == 1 ? malloc(bytes[index]) : calloc(1, bytes[index]);
        }
        live[index][0] = (unsigned char)index;
        live[index][bytes[index] - 1] = (unsigned char)index;
    }
    CHECK(damaged == 0);
    for (unsigned i = 0; i < LIVE; i++) {
        free(live[i]);
    }
}

static const struct {
    const char *kind;
    void (*run)(void);
} kinds[] = {
    {"malloc: aligned, distinct, usable", malloc_gives_aligned_usable_blocks},
    {"calloc: zeroed", calloc_clears_what_was_used_before},
    {"calloc: overflow", calloc_checks_its_product},
    {"realloc: contents", realloc_keeps_contents_between_all_sizes},
    {"realloc: NULL and 0", realloc_of_null_and_to_zero},
    {"realloc: failure", realloc_that_fails_keeps_the_block},
    {"reallocarray: overflow", reallocarray_checks_its_product},
    {"memalign, aligned_alloc, posix_memalign: alignment", aligned_forms_give_every_alignment},
    {"memalign, aligned_alloc: errors", aligned_forms_fail_with_errno},
    {"posix_memalign: errno and *block", posix_memalign_leaves_errno_and_block_alone},
    {"valloc, pvalloc: whole pages", page_forms_give_whole_pages},
    {"too large sizes", too_large_sizes_fail_with_enomem},
    {"free: errno", free_keeps_errno},
    {"success: errno", success_keeps_errno},
    {"malloc_usable_size", usable_size_can_be_used},
    {"random traffic", contents_survive_random_traffic},
};

int main(void)
{
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        unsigned before = check_passed_count;
        kinds[i].run();
        printf("%6u checks  %s\n", check_passed_count - before, kinds[i].kind);
    }
    return check_summary();
}
