/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* alloc.c as a whole: blocks of every kind keep their contents through every call, whichever system
 * call fails is answered with NULL and ENOMEM and loses nothing, and whatever the program writes,
 * into freed blocks and past the ends of others, damages nothing but its own data. All validators
 * hold after each of it. */
#include "bin.h"
#include "budget.h"
#include "huge.h"
#include "os.h"
#include "page_map.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tcache.h"

#include "random.h"
#include "test.h"

#include <errno.h>

enum { BLOCKS = 400, STEPS = 20000, VALIDATE_EVERY = 500, FAULTS = 100, SCRIBBLED = 3000 };

struct block {
    unsigned char *start;
    size_t bytes;
    unsigned char stamp;
};

static struct block blocks[BLOCKS];

static bool everything_is_valid(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        if (!arena_is_valid(arena_at(i))) {
            return false;
        }
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            if (!bin_is_valid(arena_at(i), class)) {
                return false;
            }
        }
    }
    return tcache_is_valid(tcache_current());
}

/* First, last and some bytes between, so that huge blocks stay cheap. */
static bool has_stamp(const struct block *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 1 + i / 8) {
        if (block->start[i] != block->stamp) {
            return false;
        }
    }
    return bytes == 0 || bytes < block->bytes || block->start[bytes - 1] == block->stamp;
}

static void put_stamp(struct block *block, unsigned char stamp)
{
    block->stamp = stamp;
    for (size_t i = 0; i < block->bytes; i += 1 + i / 8) {
        block->start[i] = stamp;
    }
    if (block->bytes != 0) {
        block->start[block->bytes - 1] = stamp;
    }
}

static size_t random_bytes(struct random *random)
{
    switch (random_below(random, 16)) {
    case 0:
        return random_below(random, 24 << 20);
    case 1:
    case 2:
        return random_below(random, 1 << 20);
    case 3:
    case 4:
        return random_below(random, 64 << 10);
    default:
        return random_below(random, 2000);
    }
}

static bool is_zeroed(const unsigned char *start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 1 + i / 16) {
        if (start[i] != 0) {
            return false;
        }
    }
    return true;
}

static size_t random_alignment(struct random *random)
{
    return (size_t)1 << random_below(random, random_below(random, 20) == 0 ? 26 : 14);
}

/* Any of the ways to get a block. NULL: out of memory. */
static void *get(struct random *random, size_t bytes)
{
    size_t alignment = random_alignment(random);
    void *start = NULL;
    switch (random_below(random, 6)) {
    case 0:
        start = pm_calloc(1 + bytes / 7, 7);
        CU_ASSERT_TRUE(start == NULL || is_zeroed(start, bytes));
        return start;
    case 1:
        start = pm_aligned_alloc(alignment, bytes);
        CU_ASSERT_EQUAL((uintptr_t)start % alignment, 0);
        return start;
    case 2:
        alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
        if (pm_posix_memalign(&start, alignment, bytes) != 0) {
            errno = ENOMEM; /* it returns what others set */
        }
        CU_ASSERT_EQUAL((uintptr_t)start % alignment, 0);
        return start;
    default:
        return pm_malloc(bytes);
    }
}

static void step_get(struct random *random, struct block *block)
{
    size_t bytes = random_bytes(random);
    errno = 0;
    unsigned char *start = get(random, bytes);
    if (start == NULL) {
        CU_ASSERT_EQUAL(errno, ENOMEM);
        return;
    }
    CU_ASSERT_TRUE(pm_usable_size(start) >= bytes);
    CU_ASSERT_EQUAL((uintptr_t)start % SLOT_ALIGN_BYTES, 0);
    *block = (struct block){start, bytes, 0};
    put_stamp(block, (unsigned char)random_next(random));
}

static void step_realloc(struct random *random, struct block *block)
{
    size_t bytes = 1 + random_bytes(random);
    errno = 0;
    unsigned char *start = pm_realloc(block->start, bytes);
    if (start == NULL) {
        CU_ASSERT_EQUAL(errno, ENOMEM);
        CU_ASSERT_TRUE(has_stamp(block, block->bytes));
        return;
    }
    block->start = start;
    CU_ASSERT_TRUE_FATAL(has_stamp(block, bytes < block->bytes ? bytes : block->bytes));
    block->bytes = bytes;
    put_stamp(block, (unsigned char)random_next(random));
}

static void give(struct block *block)
{
    CU_ASSERT_TRUE(has_stamp(block, block->bytes));
    errno = 77;
    pm_free(block->start);
    CU_ASSERT_EQUAL(errno, 77);
    block->start = NULL;
}

static void random_step(struct random *random)
{
    struct block *block = &blocks[random_below(random, BLOCKS)];
    if (block->start == NULL) {
        step_get(random, block);
    } else if (random_below(random, 3) == 0) {
        step_realloc(random, block);
    } else {
        give(block);
    }
}

static void give_all_and_look_for_leaks(void)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].start != NULL) {
            give(&blocks[i]);
        }
    }
    tcache_flush();
    purge_all();
    CU_ASSERT_TRUE(everything_is_valid());
    for (unsigned i = 0; i < arena_count(); i++) {
        CU_ASSERT_EQUAL(arena_at(i)->used_pages, 0);
    }
    CU_ASSERT_EQUAL(huge_blocks.count, 0);
    CU_ASSERT_EQUAL(huge_blocks.bytes, 0);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), 0);
}

static void blocks_keep_their_contents(void)
{
    struct random random = random_from(21);
    for (unsigned i = 0; i < STEPS; i++) {
        random_step(&random);
        CU_ASSERT_TRUE_FATAL(i % VALIDATE_EVERY != 0 || everything_is_valid());
    }
    give_all_and_look_for_leaks();
}

/* From a fresh process: `count` faults from the n-th system call on, then all must be well. */
static bool survives_faults(unsigned calls, unsigned count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct random random = random_from(calls + 1);
        os_fail_after(calls, count);
        for (unsigned i = 0; i < 300; i++) {
            random_step(&random);
        }
        os_fail_after(0, 0);
        for (unsigned i = 0; i < 300; i++) {
            random_step(&random);
        }
        give_all_and_look_for_leaks();
        exit(test_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = 0;
    bool survived = waitpid(child, &status, 0) == child && status == 0;
    if (!survived) {
        printf("  %u faults from system call %u on: status %d\n", count, calls, status);
    }
    return survived;
}

static void what_outgrows_a_run_is_not_copied_again(void)
{
    struct block block = {pm_malloc(700000), 700000, 0};
    put_stamp(&block, 's');
    block.start = pm_realloc(block.start, 3 << 20);
    CU_ASSERT_EQUAL(page_map_class(block.start) == CLASS_HUGE, !os_addresses_are_dear());
    CU_ASSERT_TRUE(has_stamp(&block, 700000));
    CU_ASSERT_EQUAL(pm_usable_size(block.start), 3 << 20);
    void *grown = pm_realloc(block.start, 15 << 20);
    CU_ASSERT_TRUE(grown == block.start || os_addresses_are_dear());
    block.start = grown;
    CU_ASSERT_PTR_EQUAL(pm_realloc(block.start, 2 << 20), block.start);
    CU_ASSERT_EQUAL(pm_usable_size(block.start), 2 << 20);
    block.start = pm_realloc(block.start, 700000);
    CU_ASSERT_EQUAL(page_map_class(block.start), size_class_of(700000));
    CU_ASSERT_TRUE(has_stamp(&block, 700000));
    pm_free(block.start);
}

static void every_system_call_may_fail(void)
{
    for (unsigned calls = 0; calls < FAULTS; calls++) {
        CU_ASSERT_TRUE(survives_faults(calls, 1));
        CU_ASSERT_TRUE(survives_faults(calls, 20));
    }
}

/* Random bytes over whole blocks, live and freed, their neighbours and the unused rest of a page.
 */
static void the_program_cannot_damage_the_allocator(void)
{
    static char *scribbled[SCRIBBLED];
    struct random random = random_from(33);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < SCRIBBLED; i++) {
            scribbled[i] = pm_malloc(random_between(&random, 1, 3000));
        }
        for (unsigned i = 0; i < SCRIBBLED; i += 2) {
            pm_free(scribbled[i]);
        }
        for (unsigned i = 0; i < SCRIBBLED; i++) {
            struct chunk *chunk = page_map_chunk(scribbled[i]);
            size_t offset = (size_t)(scribbled[i] - chunk->base);
            size_t room = CHUNK_BYTES - offset;
            memset(scribbled[i], (int)random_next(&random), room < 5000 ? room : 5000);
        }
        CU_ASSERT_TRUE_FATAL(everything_is_valid());
        for (unsigned i = 1; i < SCRIBBLED; i += 2) {
            pm_free(scribbled[i]);
        }
        CU_ASSERT_TRUE_FATAL(everything_is_valid());
    }
    tcache_flush();
    purge_all();
    CU_ASSERT_TRUE(everything_is_valid());
    CU_ASSERT_EQUAL(tcache_own_arena()->used_pages, 0);
}

static void impossible_sizes(void)
{
    static const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 15, SIZE_MAX};
    char *block = pm_malloc(10);
    for (unsigned i = 0; i < 3; i++) {
        void *unchanged = block;
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_malloc(sizes[i]));
        CU_ASSERT_EQUAL(errno, ENOMEM);
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_calloc(sizes[i] / 2 + 1, 2));
        CU_ASSERT_EQUAL(errno, ENOMEM);
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_realloc(block, sizes[i]));
        CU_ASSERT_EQUAL(errno, ENOMEM);
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_reallocarray(block, sizes[i], 2));
        CU_ASSERT_EQUAL(errno, ENOMEM);
        errno = 0;
        CU_ASSERT_PTR_NULL(pm_aligned_alloc(4096, sizes[i]));
        CU_ASSERT_EQUAL(errno, ENOMEM);
        errno = 0;
        CU_ASSERT_EQUAL(pm_posix_memalign(&unchanged, 4096, sizes[i]), ENOMEM);
        CU_ASSERT_TRUE(errno == 0 && unchanged == block);
    }
    errno = 0;
    CU_ASSERT_PTR_NULL(pm_aligned_alloc((size_t)1 << 63, 1));
    CU_ASSERT_EQUAL(errno, ENOMEM);
    CU_ASSERT_TRUE(everything_is_valid());
}

static void special_values(void)
{
    void *unchanged = &unchanged;
    void *first = pm_malloc(0);
    void *second = pm_malloc(0);
    CU_ASSERT_TRUE(first != NULL && second != NULL && first != second);
    CU_ASSERT_PTR_NULL(pm_realloc(first, 0));
    pm_free_sized(second, 0);
    pm_free(NULL);
    pm_free_sized(NULL, 10);
    pm_free_aligned_sized(NULL, 16, 10);
    CU_ASSERT_EQUAL(pm_usable_size(NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(pm_realloc(NULL, 10));
    errno = 0;
    CU_ASSERT_PTR_NULL(pm_aligned_alloc(24, 10));
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_PTR_NULL(pm_aligned_alloc(0, 10));
    CU_ASSERT_EQUAL(pm_posix_memalign(&unchanged, 4, 10), EINVAL);
    CU_ASSERT_EQUAL(pm_posix_memalign(&unchanged, 0, 10), EINVAL);
    CU_ASSERT_PTR_EQUAL(unchanged, &unchanged);
}

static size_t resized(size_t from_bytes, size_t to_bytes)
{
    void *block = pm_realloc(pm_malloc(from_bytes), to_bytes);
    size_t bytes = pm_usable_size(block);
    pm_free(block);
    return bytes;
}

static void what_grows_gets_room(void)
{
    CU_ASSERT_EQUAL(resized(1000, 1100), 1280); /* 1152 are enough */
    CU_ASSERT_EQUAL(resized(20000, 28673), 32768);
    CU_ASSERT_EQUAL(resized(32768, 32769), 40960);
    CU_ASSERT_EQUAL(resized(100, 500), 512);
    CU_ASSERT_EQUAL(resized(3000, 1100), 1152); /* this one shrinks */
    CU_ASSERT_EQUAL(resized(0, 1100), 1280);
}

static const struct test tests[] = {
    {"blocks keep their contents", blocks_keep_their_contents},
    {"what outgrows a run is not copied again", what_outgrows_a_run_is_not_copied_again},
    {"every system call may fail", every_system_call_may_fail},
    {"the program cannot damage the allocator", the_program_cannot_damage_the_allocator},
    {"impossible sizes", impossible_sizes},
    {"special values", special_values},
    {"what grows gets room", what_grows_gets_room},
    {NULL, NULL},
};

int main(void)
{
    return test_main("alloc", tests);
}
