/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request bytes -> size class -> bytes, and what else is fixed per class. The only module that
 * knows the rounding.
 *
 *     class   0        none: "not ours" in the page map
 *     class   1 .. 32  tiny    16 .. 512 B      16 B apart
 *     class  33 ..  80 small   576 B .. 32 KiB  eight per doubling
 *     class  81 .. 116 normal  40 KiB .. 16 MiB four per doubling, runs of whole pages
 *     class 117        huge    a mapping of its own, which most blocks above 1 MiB have too
 * (huge.h)
 *
 * Invariants, proved for every class and every size in tests/test_size_class.c:
 *  1. size_class_of(n) is the smallest class of at least n bytes.
 *  2. Slots of a class c fill its subpage but for at most 3 % of it.
 *  3. A subpage of slots up to 16 KiB holds at least 8 of them, above at least 4.
 *  4. slot_index(c, offset) == offset / bytes for every offset inside a subpage.
 */
#ifndef POOLMALLOC_SIZE_CLASS_H
#define POOLMALLOC_SIZE_CLASS_H

#include "bits.h"
#include "compiler.h"

enum {
    PAGE_LOG2 = 13,
    PAGE_BYTES = 1 << PAGE_LOG2,
    CHUNK_LOG2 = 24,
    CHUNK_BYTES = 1 << CHUNK_LOG2,
    CHUNK_PAGES = CHUNK_BYTES / PAGE_BYTES,
    CHUNK_ORDER = CHUNK_LOG2 - PAGE_LOG2,

    SLOT_ALIGN_LOG2 = 4,
    SLOT_ALIGN_BYTES = 1 << SLOT_ALIGN_LOG2,
    TINY_MAX_BYTES = 512,
    SMALL_MAX_BYTES = 32 << 10,
    NORMAL_MAX_BYTES = CHUNK_BYTES,

    CLASS_NONE = 0,
    CLASS_TINY_LAST = 32,
    CLASS_SMALL_LAST = 80,
    CLASS_NORMAL_LAST = 116,
    CLASS_HUGE = 117,
    CLASS_COUNT = 118,

    SUBPAGE_MAX_PAGES = 16,
    PAGE_MAX_SLOTS = PAGE_BYTES / SLOT_ALIGN_BYTES,
};

enum size_kind { KIND_NONE, KIND_TINY, KIND_SMALL, KIND_NORMAL, KIND_HUGE };

struct size_class {
    uint32_t bytes;
    uint32_t reciprocal;     /* ceil(2^32 / bytes); small classes only */
    uint16_t run_pages;      /* pages of a subpage, or of a normal run */
    uint16_t slot_count;     /* slots in a subpage; 1 for a normal run */
    uint16_t magazine_slots; /* most slots a magazine of this class may hold */
};

extern const struct size_class size_classes[CLASS_COUNT];
/* By (bytes + 15) / 16, up to SMALL_MAX_BYTES. */
extern const uint8_t size_class_by_slot_units[SMALL_MAX_BYTES / SLOT_ALIGN_BYTES + 1];

/* request_bytes: at most SMALL_MAX_BYTES. */
static inline unsigned size_class_of_small(size_t request_bytes)
{
    return size_class_by_slot_units[(request_bytes + SLOT_ALIGN_BYTES - 1) >> SLOT_ALIGN_LOG2];
}

/* The class whose run could hold a request; above NORMAL_MAX_BYTES it is CLASS_HUGE. */
unsigned size_class_of(size_t request_bytes);

/* The smallest class of at least request_bytes whose slots or runs are aligned so.
 * alignment: a power of two of at most CHUNK_BYTES. */
unsigned size_class_of_aligned(size_t request_bytes, size_t alignment);

/* What to ask for when a block has to grow to `bytes`: what grew once often grows on, so of small
 * classes every second one, a quarter of a doubling apart, that it moves less often. */
size_t size_class_room_to_grow(size_t bytes);

static inline bool size_class_is_small(unsigned class)
{
    return class - 1U < CLASS_SMALL_LAST;
}

static inline size_t size_class_bytes(unsigned class)
{
    return size_classes[class].bytes;
}

/* Which slot of a subpage holds the byte at offset_bytes from its start. */
static inline unsigned slot_index(unsigned class, size_t offset_bytes)
{
    return (unsigned)(offset_bytes * size_classes[class].reciprocal >> 32);
}

enum size_kind size_class_kind(unsigned class);

#endif
