/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "size_class.h"

#include <assert.h>

/* One subpage length for all: the fewest pages that hold enough slots with at most 3 % of tail. */
#define MIN_SLOTS(bytes) ((bytes) <= 16384 ? 8 : 4)
#define TAIL_BYTES(bytes, pages) ((pages)*PAGE_BYTES % (bytes))
#define FITS(bytes, pages)                                                                         \
    ((pages)*PAGE_BYTES / (bytes) >= MIN_SLOTS(bytes) &&                                           \
     TAIL_BYTES(bytes, pages) * 100 <= 3 * (pages)*PAGE_BYTES)
#define FIRST_FIT(bytes, pages, otherwise) (FITS(bytes, pages) ? (pages) : (otherwise))
#define FIRST_FIT_4(bytes, pages, otherwise)                                                       \
    FIRST_FIT(bytes, pages,                                                                        \
              FIRST_FIT(bytes, (pages) + 1,                                                        \
                        FIRST_FIT(bytes, (pages) + 2, FIRST_FIT(bytes, (pages) + 3, otherwise))))
#define SUBPAGE_PAGES(bytes)                                                                       \
    FIRST_FIT_4(bytes, 1, FIRST_FIT_4(bytes, 5, FIRST_FIT_4(bytes, 9, FIRST_FIT_4(bytes, 13, 0))))

/* A full magazine holds 16 KiB of slots or 256 KiB of runs, within these bounds of their count. */
#define CLAMP(value, low, high) ((value) < (low) ? (low) : (value) > (high) ? (high) : (value))
#define SMALL_MAGAZINE(bytes) CLAMP(16384 / (bytes), 4, 128)
#define NORMAL_MAGAZINE(bytes) CLAMP(262144 / (bytes), 1, 4)

#define SMALL(size)                                                                                \
    {                                                                                              \
        .bytes = (size), .reciprocal = (uint32_t)(((UINT64_C(1) << 32) + (size)-1) / (size)),      \
        .run_pages = SUBPAGE_PAGES(size), .slot_count = SUBPAGE_PAGES(size) * PAGE_BYTES / (size), \
        .magazine_slots = SMALL_MAGAZINE(size)                                                     \
    }
#define NORMAL(size)                                                                               \
    {                                                                                              \
        .bytes = (size), .run_pages = (size) / PAGE_BYTES, .slot_count = 1,                        \
        .magazine_slots = NORMAL_MAGAZINE(size)                                                    \
    }
#define TINY_4(size) SMALL(size), SMALL((size) + 16), SMALL((size) + 32), SMALL((size) + 48)
/* The classes above 2^log2 bytes: eight small ones, four normal ones. */
#define SMALL_DOUBLING(log2)                                                                       \
    SMALL(9 << ((log2)-3)), SMALL(10 << ((log2)-3)), SMALL(11 << ((log2)-3)),                      \
        SMALL(12 << ((log2)-3)), SMALL(13 << ((log2)-3)), SMALL(14 << ((log2)-3)),                 \
        SMALL(15 << ((log2)-3)), SMALL(16 << ((log2)-3))
#define NORMAL_DOUBLING(log2)                                                                      \
    NORMAL(5 << ((log2)-2)), NORMAL(6 << ((log2)-2)), NORMAL(7 << ((log2)-2)),                     \
        NORMAL(8 << ((log2)-2))

const struct size_class size_classes[CLASS_COUNT] = {
    {0},
    TINY_4(16),
    TINY_4(80),
    TINY_4(144),
    TINY_4(208),
    TINY_4(272),
    TINY_4(336),
    TINY_4(400),
    TINY_4(464),
    SMALL_DOUBLING(9),
    SMALL_DOUBLING(10),
    SMALL_DOUBLING(11),
    SMALL_DOUBLING(12),
    SMALL_DOUBLING(13),
    SMALL_DOUBLING(14),
    NORMAL_DOUBLING(15),
    NORMAL_DOUBLING(16),
    NORMAL_DOUBLING(17),
    NORMAL_DOUBLING(18),
    NORMAL_DOUBLING(19),
    NORMAL_DOUBLING(20),
    NORMAL_DOUBLING(21),
    NORMAL_DOUBLING(22),
    NORMAL_DOUBLING(23),
    {0},
};

#define TINY_UNITS_4(unit)                                                                         \
    [unit] = (unit), [(unit) + 1] = (unit) + 1, [(unit) + 2] = (unit) + 2, [(unit) + 3] = (unit) + 3
/* (eighth, eighth + 1] eighths of 2^log2 bytes, counted in 16-byte units. */
#define EIGHTH(log2, eighth)                                                                       \
    [((eighth) << ((log2)-3 - SLOT_ALIGN_LOG2)) + 1 ...((eighth) + 1)                              \
        << ((log2)-3 - SLOT_ALIGN_LOG2)] = (CLASS_TINY_LAST + 8 * ((log2)-9) + (eighth)-7)
#define DOUBLING_UNITS(log2)                                                                       \
    EIGHTH(log2, 8), EIGHTH(log2, 9), EIGHTH(log2, 10), EIGHTH(log2, 11), EIGHTH(log2, 12),        \
        EIGHTH(log2, 13), EIGHTH(log2, 14), EIGHTH(log2, 15)

const uint8_t size_class_by_slot_units[SMALL_MAX_BYTES / SLOT_ALIGN_BYTES + 1] = {
    [0] = 1,
    TINY_UNITS_4(1),
    TINY_UNITS_4(5),
    TINY_UNITS_4(9),
    TINY_UNITS_4(13),
    TINY_UNITS_4(17),
    TINY_UNITS_4(21),
    TINY_UNITS_4(25),
    TINY_UNITS_4(29),
    DOUBLING_UNITS(9),
    DOUBLING_UNITS(10),
    DOUBLING_UNITS(11),
    DOUBLING_UNITS(12),
    DOUBLING_UNITS(13),
    DOUBLING_UNITS(14),
};

static_assert(SMALL_MAX_BYTES == 1 << 15, "DOUBLING lines above end at 2^15");
static_assert((SUBPAGE_MAX_PAGES * PAGE_BYTES) <= UINT64_C(1) << 32 >> 15,
              "slot_index is exact while offset * bytes stays below 2^32");

unsigned size_class_of(size_t request_bytes)
{
    if (request_bytes <= SMALL_MAX_BYTES) {
        return size_class_of_small(request_bytes);
    }
    if (request_bytes > NORMAL_MAX_BYTES) {
        return CLASS_HUGE;
    }
    unsigned doubling = log2_floor(request_bytes - 1);
    unsigned quarter = (unsigned)((request_bytes - 1) >> (doubling - 2)) & 3;
    return CLASS_SMALL_LAST + 4 * (doubling - 15) + quarter + 1;
}

/* A subpage starts at a page, so its slots are as aligned as their size is; a run that has to be
 * aligned starts at a node of the buddy tree. */
unsigned size_class_of_aligned(size_t request_bytes, size_t alignment)
{
    unsigned class = size_class_of(request_bytes);
    while (size_class_is_small(class) &&
           (alignment > PAGE_BYTES || (size_class_bytes(class) & (alignment - 1)) != 0)) {
        class ++;
    }
    return class;
}

size_t size_class_room_to_grow(size_t bytes)
{
    return bytes > TINY_MAX_BYTES && bytes <= SMALL_MAX_BYTES
               ? align_up(bytes, (size_t)1 << (log2_floor(bytes - 1) - 2))
               : bytes;
}

enum size_kind size_class_kind(unsigned class)
{
    if (class == CLASS_NONE || class > CLASS_HUGE) {
        return KIND_NONE;
    }
    if (class == CLASS_HUGE) {
        return KIND_HUGE;
    }
    return class <= CLASS_TINY_LAST    ? KIND_TINY
           : class <= CLASS_SMALL_LAST ? KIND_SMALL
                                       : KIND_NORMAL;
}
