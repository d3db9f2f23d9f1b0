/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* huge.h: blocks are zeroed, aligned, found by their start only, listed while they live; resizing
 * keeps contents in place or moved, and whatever call fails leaves the block as it was. */
#include "huge.h"

#include "os.h"
#include "page_map.h"
#include "tick.h"

#include "address_space.h"
#include "test.h"

#include <sys/mman.h>
#include <sys/resource.h>

enum { MIB = 1 << 20 };

static const size_t some_bytes = NORMAL_MAX_BYTES + 1;

static bool is_mapped(void *page)
{
    unsigned char resident;
    return mincore(page, 1, &resident) == 0;
}

static bool is_any_mapped(char *start, size_t bytes)
{
    bool is_any = false;
    for (size_t i = 0; i < bytes; i += os_page_bytes()) {
        is_any |= is_mapped(start + i);
    }
    return is_any;
}

static void stamp(char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += MIB) {
        block[i] = (char)(1 + i / MIB);
    }
}

static bool is_stamped(const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += MIB) {
        if (block[i] != (char)(1 + i / MIB)) {
            return false;
        }
    }
    return true;
}

static bool lists_agree(void)
{
    size_t bytes = 0;
    size_t tail_bytes = 0;
    size_t count = 0;
    for (struct list *node = huge_blocks.all.next; node != &huge_blocks.all; node = node->next) {
        struct huge *huge = list_entry(node, struct huge, link);
        bytes += huge->bytes;
        tail_bytes += huge->touched_bytes - huge->bytes;
        count++;
        if (huge_of(huge->start) != huge || page_map_class(huge->start) != CLASS_HUGE ||
            huge->mapped_bytes < huge->touched_bytes ||
            ((size_t)huge->start | huge->mapped_bytes) % PAGE_BYTES != 0) {
            return false;
        }
    }
    return bytes == huge_blocks.bytes && tail_bytes == huge_blocks.tail_bytes &&
           count == huge_blocks.count;
}

static void a_block_comes_and_goes(void)
{
    for (size_t alignment = 1; alignment <= 4 * (size_t)CHUNK_BYTES; alignment *= 2) {
        char *block = huge_alloc(some_bytes, alignment);
        CU_ASSERT_PTR_NOT_NULL_FATAL(block);
        CU_ASSERT_EQUAL((uintptr_t)block % alignment, 0);
        struct huge *huge = huge_of(block);
        CU_ASSERT_PTR_NOT_NULL_FATAL(huge);
        CU_ASSERT_TRUE(huge->bytes >= some_bytes && huge->bytes % os_page_bytes() == 0);
        CU_ASSERT_PTR_NULL(huge_of(block + 1));
        CU_ASSERT_PTR_NULL(huge_of(block + MIB));
        CU_ASSERT_EQUAL(block[some_bytes - 1], 0);
        CU_ASSERT_TRUE(lists_agree());
        huge_free(huge);
        CU_ASSERT_PTR_NULL(huge_of(block));
        CU_ASSERT_EQUAL(page_map_class(block), CLASS_NONE);
        CU_ASSERT_EQUAL(huge_blocks.kept_count, 1);
        huge_decay(0);
        CU_ASSERT_EQUAL(huge_blocks.kept_count, 0);
        CU_ASSERT_FALSE(is_mapped(block));
        CU_ASSERT_TRUE(lists_agree());
    }
    CU_ASSERT_EQUAL(huge_blocks.count, 0);
}

static void a_kept_mapping_serves_the_next_request(void)
{
    static const size_t other_bytes[] = {20 * MIB, 17 * MIB, 40 * MIB};
    char *block = huge_alloc(24 * MIB, 1);
    memset(block, 0xa5, 24 * MIB);
    for (unsigned i = 0; i < sizeof(other_bytes) / sizeof(other_bytes[0]); i++) {
        huge_free(huge_of(block));
        block = huge_alloc(other_bytes[i], 1);
        CU_ASSERT_EQUAL(huge_blocks.kept_count, 0);
        CU_ASSERT_TRUE(huge_of(block)->dirty_bytes != 0);
        CU_ASSERT_EQUAL((unsigned char)block[0], 0xa5);
        huge_zero(huge_of(block));
        CU_ASSERT_EQUAL(block[0], 0);
        memset(block, 0xa5, other_bytes[i]);
        CU_ASSERT_TRUE(lists_agree());
    }
}

static char *take_touched(size_t mib)
{
    char *block = huge_alloc(mib * MIB, 1);
    stamp(block, mib * MIB);
    return block;
}

static struct huge *freed_after_touch(size_t mib)
{
    struct huge *huge = huge_of(take_touched(mib));
    huge_free(huge);
    return huge;
}

static void the_pages_that_fit_best_are_used(void)
{
    char *blocks[] = {take_touched(3), take_touched(8), take_touched(5)};
    struct huge *kept[3];
    for (unsigned i = 0; i < 3; i++) {
        kept[i] = huge_of(blocks[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        huge_free(kept[i]);
    }
    CU_ASSERT_PTR_EQUAL(huge_of(huge_alloc(4 * MIB, 1)), kept[2]);
    char *nine = huge_alloc(9 * MIB, 1);
    CU_ASSERT_PTR_EQUAL(huge_of(nine), kept[1]);
    CU_ASSERT_EQUAL(kept[1]->dirty_bytes, 8 * MIB);
    CU_ASSERT_TRUE(is_stamped(nine, 8 * MIB));
    CU_ASSERT_EQUAL(nine[8 * MIB], 0);
    huge_zero(kept[1]);
    CU_ASSERT_EQUAL(nine[7 * MIB], 0);
    CU_ASSERT_PTR_EQUAL(huge_of(huge_alloc(2 * MIB, 1)), kept[0]);
    CU_ASSERT_TRUE(lists_agree());
}

static void the_longest_are_not_for_short_blocks(void)
{
    struct huge *longest = freed_after_touch(60);
    CU_ASSERT_PTR_NOT_EQUAL(huge_of(huge_alloc(2 * MIB, 1)), longest);
    CU_ASSERT_PTR_EQUAL(huge_of(huge_alloc(40 * MIB, 1)), longest);
    CU_ASSERT_TRUE(lists_agree());
}

static void tails_leave_room_for_kept_mappings(void)
{
    enum { COUNT = 4, MIB_TOUCHED = 15, TAIL = 13 * MIB };
    char *blocks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = take_touched(MIB_TOUCHED);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        huge_free(huge_of(blocks[i]));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = huge_alloc(2 * MIB, 1);
    }
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 0);
    CU_ASSERT_EQUAL(huge_blocks.tail_bytes, 3 * TAIL); /* the fourth: above 3/4 of 64 MiB */
    CU_ASSERT_FALSE(is_mapped(blocks[3] + 14 * MIB));
    CU_ASSERT_TRUE(lists_agree());
}

/* Short blocks, of which several begin in the same slot of the page map. */
static void each_of_many_is_found(void)
{
    enum { COUNT = 48 };
    struct huge *blocks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = huge_of(huge_alloc(2 * MIB, 1));
        CU_ASSERT_PTR_NOT_NULL_FATAL(blocks[i]);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned freed = i * 7 % COUNT;
        void *start = blocks[freed]->start;
        huge_free(blocks[freed]);
        CU_ASSERT_PTR_NULL(huge_of(start));
        CU_ASSERT_TRUE(huge_is_kept(start) || !is_mapped(start));
        CU_ASSERT_TRUE(lists_agree());
    }
    CU_ASSERT_EQUAL(huge_blocks.count, 0);
}

static void not_more_than_a_bound_is_kept(void)
{
    enum { COUNT = 12 };
    struct huge *blocks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = huge_of(huge_alloc(17 * MIB, 1));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        huge_free(blocks[i]);
        CU_ASSERT_TRUE(huge_blocks.kept_bytes <= 64 * MIB && huge_blocks.kept_count <= 64);
    }
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 3);
    CU_ASSERT_EQUAL(huge_decay(1), 0);
    tick_advance();
    CU_ASSERT_TRUE(huge_decay(1) != 0);
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 0);
}

static void a_descriptor_is_used_again(void)
{
    struct huge *first = huge_of(huge_alloc(some_bytes, 1));
    struct huge *second = huge_of(huge_alloc(some_bytes, 1));
    CU_ASSERT_PTR_NOT_EQUAL(first, second);
    huge_free(first);
    CU_ASSERT_PTR_EQUAL(huge_of(huge_alloc(some_bytes, 1)), first);
    CU_ASSERT_EQUAL(huge_blocks.count, 2);
    CU_ASSERT_TRUE(lists_agree());
}

static void resize_in_place(void)
{
    char *block = huge_alloc(64 * (size_t)MIB, 1);
    struct huge *huge = huge_of(block);
    stamp(block, 64 * (size_t)MIB);
    CU_ASSERT_PTR_EQUAL(huge_resize(huge, 20 * (size_t)MIB), block);
    CU_ASSERT_EQUAL(huge->bytes, 20 * (size_t)MIB);
    CU_ASSERT_FALSE(is_mapped(block + 20 * (size_t)MIB));
    char *grown = huge_resize(huge, 32 * (size_t)MIB);
    bool is_in_the_way = grown != block && is_any_mapped(block + 20 * (size_t)MIB, 12 * MIB);
    CU_ASSERT_TRUE(grown == block || is_in_the_way); /* valgrind's own memory may be */
    CU_ASSERT_TRUE(is_stamped(grown, 20 * (size_t)MIB));
    CU_ASSERT_EQUAL(grown[32 * (size_t)MIB - 1], 0);
    CU_ASSERT_TRUE(lists_agree());
}

static void resize_by_moving(void)
{
    char *block = huge_alloc(some_bytes, 1);
    struct huge *huge = huge_of(block);
    stamp(block, some_bytes);
    void *wall = mmap(block + huge->bytes, os_page_bytes(), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CU_ASSERT_TRUE(wall != MAP_FAILED || is_mapped(block + huge->bytes));
    char *moved = huge_resize(huge, 80 * (size_t)MIB + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
    CU_ASSERT_PTR_NOT_EQUAL(moved, block);
    CU_ASSERT_TRUE(is_stamped(moved, some_bytes));
    CU_ASSERT_PTR_EQUAL(huge_of(moved), huge);
    CU_ASSERT_FALSE(is_mapped(block));
    CU_ASSERT_EQUAL(page_map_class(block), CLASS_NONE);
    CU_ASSERT_TRUE(lists_agree());
}

static void a_growing_block_takes_a_kept_mapping_whole(void)
{
    char *plain = huge_alloc(some_bytes, 1);
    char *earlier = huge_resize(huge_of(huge_alloc(20 * (size_t)MIB, 1)), 40 * (size_t)MIB);
    stamp(earlier, 40 * (size_t)MIB);
    huge_free(huge_of(plain)); /* fits best, but never held what grew */
    huge_free(huge_of(earlier));
    char *block = huge_alloc_to_grow(2 * (size_t)MIB);
    struct huge *huge = huge_of(block);
    CU_ASSERT_PTR_EQUAL(block, earlier);
    CU_ASSERT_EQUAL(huge->bytes, 2 * MIB);
    CU_ASSERT_EQUAL(huge_blocks.tail_bytes, 38 * (size_t)MIB);
    CU_ASSERT_PTR_EQUAL(huge_resize(huge, 30 * (size_t)MIB), block);
    CU_ASSERT_EQUAL(huge_blocks.tail_bytes, 10 * (size_t)MIB);
    CU_ASSERT_EQUAL(huge_decay(1), 0);
    CU_ASSERT_TRUE(is_stamped(block, 40 * (size_t)MIB));
    tick_advance();
    CU_ASSERT_TRUE(huge_decay(1) > 26 * (size_t)MIB); /* and the plain one */
    CU_ASSERT_TRUE(is_stamped(block, 30 * (size_t)MIB));
    CU_ASSERT_EQUAL(block[30 * (size_t)MIB], 0);
    CU_ASSERT_EQUAL(huge_totals().idle_bytes, 0);
    CU_ASSERT_TRUE(lists_agree());
    CU_ASSERT_PTR_EQUAL(huge_resize(huge, 40 * (size_t)MIB), block);
    CU_ASSERT_TRUE(lists_agree());
}

static void tails_count_as_idle(void)
{
    void *earlier = huge_resize(huge_of(huge_alloc(20 * (size_t)MIB, 1)), 60 * (size_t)MIB);
    huge_free(huge_of(earlier));
    CU_ASSERT_PTR_EQUAL(huge_alloc_to_grow(2 * (size_t)MIB), earlier);
    huge_free(huge_of(huge_alloc(40 * (size_t)MIB, 1)));
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 0);
    CU_ASSERT_EQUAL(huge_totals().idle_bytes, 58 * (size_t)MIB);
    CU_ASSERT_TRUE(lists_agree());
}

static void a_mapping_shrinks_with_its_block(void)
{
    char *block = huge_alloc(40 * (size_t)MIB, 1);
    struct huge *huge = huge_of(block);
    stamp(block, 40 * (size_t)MIB);
    CU_ASSERT_PTR_EQUAL(huge_resize(huge, 2 * (size_t)MIB), block);
    CU_ASSERT_FALSE(is_mapped(block + 2 * MIB));
    CU_ASSERT_EQUAL(huge_blocks.tail_bytes, 0);
    CU_ASSERT_TRUE(is_stamped(block, 2 * (size_t)MIB));
    CU_ASSERT_TRUE(lists_agree());
    huge_free(huge);
    CU_ASSERT_TRUE(lists_agree());
}

static void short_mappings_are_not_kept_while_arenas_grow(void)
{
    char *longer = huge_alloc(40 * (size_t)MIB, 1);
    char *shorter = huge_alloc(2 * (size_t)MIB, 1);
    huge_free(huge_of(longer));
    huge_free(huge_of(shorter));
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 2);
    CU_ASSERT_EQUAL(huge_blocks.kept_bytes, 42 * (size_t)MIB);
    huge_make_way();
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 2); /* in use a moment ago */
    tick_advance();
    huge_make_way();
    CU_ASSERT_EQUAL(huge_blocks.kept_count, 1);
    CU_ASSERT_FALSE(is_mapped(shorter));
    CU_ASSERT_TRUE(is_mapped(longer));
}

static void no_mapping_is_longer_where_addresses_are_limited(void)
{
    struct rlimit limit;
    bool was_dear = os_addresses_are_dear();
    struct huge *huge = huge_of(huge_alloc_to_grow(2 * (size_t)MIB));
    CU_ASSERT_EQUAL(huge->mapped_bytes == 2 * MIB, was_dear);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = limit.rlim_max < (rlim_t)1 << 47 ? limit.rlim_max : (rlim_t)1 << 47;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_AS, &limit), 0);
    getrlimit(RLIMIT_AS, &limit);
    bool is_limited = limit.rlim_cur != RLIM_INFINITY; /* an emulator may ignore it */
    huge = huge_of(huge_alloc_to_grow(2 * (size_t)MIB));
    CU_ASSERT_EQUAL(huge->mapped_bytes == 2 * MIB, is_limited || was_dear);
    char *grown = huge_resize(huge, 3 * (size_t)MIB);
    CU_ASSERT_PTR_NOT_NULL_FATAL(grown);
    CU_ASSERT_EQUAL(grown[3 * (size_t)MIB - 1], 0);
    CU_ASSERT_TRUE(lists_agree());
}

static void no_memory_for_a_block(void)
{
    unsigned long block_os_pages = some_bytes / os_page_bytes();
    unsigned long before = mapped_os_pages();
    void *block = NULL;
    for (unsigned calls = 0; block == NULL; calls++) {
        os_fail_after(calls, 1);
        block = huge_alloc(some_bytes, 2 * (size_t)CHUNK_BYTES);
        CU_ASSERT_TRUE(lists_agree());
        CU_ASSERT_EQUAL(huge_blocks.count, block != NULL);
        CU_ASSERT_TRUE(block != NULL || mapped_os_pages() < before + block_os_pages);
        CU_ASSERT_TRUE_FATAL(calls < 10);
    }
    os_fail_after(0, 0);
    CU_ASSERT_PTR_NULL(huge_alloc(PTRDIFF_MAX, 1));
    CU_ASSERT_PTR_NULL(huge_alloc(some_bytes, (size_t)1 << 62));
    CU_ASSERT_EQUAL(huge_blocks.count, 1);
}

static void no_memory_to_resize(void)
{
    char *block = huge_alloc(some_bytes, 1);
    struct huge *huge = huge_of(block);
    stamp(block, some_bytes);
    void *resized = NULL;
    unsigned failed_count = 0;
    for (unsigned calls = 0; resized == NULL; calls++) {
        os_fail_after(calls, 8);
        resized = huge_resize(huge, 40 * (size_t)MIB);
        if (resized == NULL) {
            failed_count++;
            CU_ASSERT_PTR_EQUAL(huge_of(block), huge);
            CU_ASSERT_TRUE(is_stamped(block, some_bytes));
        }
        CU_ASSERT_TRUE(lists_agree());
        CU_ASSERT_TRUE_FATAL(calls < 10);
    }
    CU_ASSERT_TRUE(failed_count > 0);
    CU_ASSERT_TRUE(is_stamped(resized, some_bytes));
}

/* Blocks of the list that was forgotten live on, and leave without a trace in the new one. */
static void an_abandoned_list(void)
{
    void *first = huge_alloc(some_bytes, 1);
    void *second = huge_alloc(some_bytes, 1);
    huge_abandon_lock();
    CU_ASSERT_EQUAL(huge_blocks.count, 2);
    atomic_store(&huge_blocks.lock.word, 77);
    huge_abandon_lock();
    CU_ASSERT_EQUAL(huge_blocks.count, 0);
    void *later = huge_alloc(some_bytes, 1);
    CU_ASSERT_TRUE(lists_agree());
    huge_free(huge_of(first));
    CU_ASSERT_TRUE(lists_agree());
    CU_ASSERT_EQUAL(huge_blocks.count, 1);
    void *resized = huge_resize(huge_of(second), 3 * some_bytes);
    CU_ASSERT_PTR_NOT_NULL(huge_of(resized));
    CU_ASSERT_TRUE(lists_agree());
    huge_free(huge_of(later));
    huge_free(huge_of(resized));
    CU_ASSERT_TRUE(lists_agree());
    CU_ASSERT_EQUAL(huge_blocks.bytes, 0);
}

static const struct test tests[] = {
    {"a block comes and goes", a_block_comes_and_goes},
    {"a kept mapping serves the next request", a_kept_mapping_serves_the_next_request},
    {"the pages that fit best are used", the_pages_that_fit_best_are_used},
    {"the longest are not for short blocks", the_longest_are_not_for_short_blocks},
    {"tails leave room for kept mappings", tails_leave_room_for_kept_mappings},
    {"each of many is found", each_of_many_is_found},
    {"not more than a bound is kept", not_more_than_a_bound_is_kept},
    {"a descriptor is used again", a_descriptor_is_used_again},
    {"resize in place", resize_in_place},
    {"resize by moving", resize_by_moving},
    {"a growing block takes a kept mapping whole", a_growing_block_takes_a_kept_mapping_whole},
    {"tails count as idle", tails_count_as_idle},
    {"a mapping shrinks with its block", a_mapping_shrinks_with_its_block},
    {"short mappings are not kept while arenas grow",
     short_mappings_are_not_kept_while_arenas_grow},
    {"no mapping is longer where addresses are limited",
     no_mapping_is_longer_where_addresses_are_limited},
    {"no memory for a block", no_memory_for_a_block},
    {"no memory to resize", no_memory_to_resize},
    {"an abandoned list", an_abandoned_list},
    {NULL, NULL},
};

int main(void)
{
    return test_main("huge", tests);
}
