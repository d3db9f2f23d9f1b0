/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* size_class.h, invariants 1 to 4 for every class and every size up to a chunk and a byte, and the
 * shape of the table that its drawing shows. */
#include "size_class.h"

#include "magazine.h"

#include "test.h"

static void every_size_gets_the_smallest_class_1(void)
{
    unsigned class = 1;
    unsigned wrong = 0;
    CU_ASSERT_EQUAL(size_class_of(0), 1);
    for (size_t bytes = 1; bytes <= NORMAL_MAX_BYTES; bytes++) {
        class += size_class_bytes(class) < bytes;
        wrong += size_class_of(bytes) != class;
        wrong += bytes <= SMALL_MAX_BYTES && size_class_of_small(bytes) != class;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(class, CLASS_NORMAL_LAST);
    CU_ASSERT_EQUAL(size_class_of(NORMAL_MAX_BYTES + 1), CLASS_HUGE);
    CU_ASSERT_EQUAL(size_class_of(SIZE_MAX), CLASS_HUGE);
}

static void subpages_waste_little_2_3(void)
{
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        const struct size_class *row = &size_classes[class];
        size_t subpage_bytes = (size_t)row->run_pages * PAGE_BYTES;
        CU_ASSERT_TRUE(row->run_pages >= 1 && row->run_pages <= SUBPAGE_MAX_PAGES);
        CU_ASSERT_EQUAL(row->slot_count, subpage_bytes / row->bytes);
        CU_ASSERT_TRUE(subpage_bytes % row->bytes * 100 <= 3 * subpage_bytes);
        CU_ASSERT_TRUE(row->slot_count >= (row->bytes <= 16384 ? 8 : 4));
        CU_ASSERT_TRUE(row->slot_count <= (unsigned)row->run_pages * PAGE_MAX_SLOTS);
    }
}

static void every_offset_has_its_slot_4(void)
{
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        size_t subpage_bytes = (size_t)size_classes[class].run_pages * PAGE_BYTES;
        unsigned wrong = 0;
        for (size_t offset = 0; offset < subpage_bytes; offset++) {
            wrong += slot_index(class, offset) != offset / size_class_bytes(class);
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static void classes_are_spaced_as_drawn(void)
{
    for (unsigned class = 1; class <= CLASS_TINY_LAST; class ++) {
        CU_ASSERT_EQUAL(size_class_bytes(class), (size_t) class * SLOT_ALIGN_BYTES);
    }
    for (unsigned class = CLASS_TINY_LAST + 1; class <= CLASS_NORMAL_LAST; class ++) {
        size_t bytes = size_class_bytes(class);
        size_t doubling = (size_t)1 << log2_floor(bytes - 1);
        CU_ASSERT_EQUAL(bytes - size_class_bytes(class - 1),
                        doubling / (class <= CLASS_SMALL_LAST ? 8 : 4));
    }
    for (unsigned class = CLASS_SMALL_LAST + 1; class <= CLASS_NORMAL_LAST; class ++) {
        CU_ASSERT_EQUAL(size_class_bytes(class),
                        (size_t)size_classes[class].run_pages * PAGE_BYTES);
    }
    CU_ASSERT_EQUAL(size_class_bytes(CLASS_TINY_LAST), TINY_MAX_BYTES);
    CU_ASSERT_EQUAL(size_class_bytes(CLASS_SMALL_LAST), SMALL_MAX_BYTES);
    CU_ASSERT_EQUAL(size_class_bytes(CLASS_NORMAL_LAST), NORMAL_MAX_BYTES);
    CU_ASSERT_EQUAL(size_class_bytes(CLASS_NONE), 0);
    CU_ASSERT_EQUAL(size_class_bytes(CLASS_HUGE), 0);
}

static void kinds(void)
{
    for (unsigned class = 0; class < 256; class ++) {
        enum size_kind expected = class == CLASS_NONE || class > CLASS_HUGE    ? KIND_NONE
                                  : class == CLASS_HUGE                        ? KIND_HUGE
                                  : size_class_bytes(class) <= TINY_MAX_BYTES  ? KIND_TINY
                                  : size_class_bytes(class) <= SMALL_MAX_BYTES ? KIND_SMALL
                                                                               : KIND_NORMAL;
        CU_ASSERT_EQUAL(size_class_kind(class), expected);
        CU_ASSERT_EQUAL(size_class_is_small(class),
                        expected == KIND_TINY || expected == KIND_SMALL);
    }
}

static void magazines_hold_something(void)
{
    for (unsigned class = 1; class <= CLASS_NORMAL_LAST; class ++) {
        CU_ASSERT_TRUE(size_classes[class].magazine_slots >= 1);
        CU_ASSERT_TRUE(size_classes[class].magazine_slots <= 1 << MAGAZINE_ROOM_LOG2_MAX);
    }
}

/* Slots lie at multiples of their size from a page; runs are aligned by the buddy tree. */
static bool is_aligned_class(unsigned class, size_t alignment)
{
    return !size_class_is_small(class) ||
           (alignment <= PAGE_BYTES && size_class_bytes(class) % alignment == 0);
}

static void aligned_requests_get_the_smallest_class(void)
{
    unsigned wrong = 0;
    for (size_t alignment = 1; alignment <= CHUNK_BYTES; alignment *= 2) {
        for (size_t bytes = 1; bytes <= 4 * SMALL_MAX_BYTES; bytes++) {
            unsigned class = size_class_of(bytes);
            while (!is_aligned_class(class, alignment)) {
                class ++;
            }
            wrong += size_class_of_aligned(bytes, alignment) != class;
        }
        wrong += size_class_of_aligned(NORMAL_MAX_BYTES + 1, alignment) != CLASS_HUGE;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const struct test tests[] = {
    {"every size gets the smallest class", every_size_gets_the_smallest_class_1},
    {"subpages waste little and hold enough", subpages_waste_little_2_3},
    {"every offset has its slot", every_offset_has_its_slot_4},
    {"classes are spaced as drawn", classes_are_spaced_as_drawn},
    {"kinds", kinds},
    {"magazines hold something", magazines_hold_something},
    {"aligned requests get the smallest class", aligned_requests_get_the_smallest_class},
    {NULL, NULL},
};

int main(void)
{
    return test_main("size_class", tests);
}
