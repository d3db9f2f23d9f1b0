/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Address -> what lies there. How free() knows what it got, whatever it got.
 *
 *     address  | 63 .. 48 must be 0 | 47 .. 36 leaf | 35 .. 13 page of the leaf | 12 .. 0 |
 *                                                   | 35 .. 24 chunk slot       |
 *     leaf (64 GiB of addresses): one class byte per 8 KiB page (8 MiB), one pointer per 16 MiB
 *     (32 KiB); mapped when a chunk or huge mapping first lies in it, touched where used.
 *
 * Class byte: 0 not ours; a small class on every page of its subpages; a normal class on the
 * first page of its run; CLASS_HUGE on the first page of a huge mapping.
 * Chunk slot: the struct chunk of these 16 MiB, or the first of the struct huge that begin in them,
 * which know each other.
 *
 * The leaf that the first chunk lies in is "hot": its base and where its bytes lie are two
 * global words, so that the common lookup is a compare and a load. A process whose memory spans
 * several leaves pays a second level for the others.
 *
 * Threads: bytes are written before their block is handed out and after it came back whole, so a
 * reader with a live block never races. Any address may be asked about at any time.
 */
#ifndef POOLMALLOC_PAGE_MAP_H
#define POOLMALLOC_PAGE_MAP_H

#include "size_class.h"

#include <stdatomic.h>

struct chunk;
struct huge;

enum {
    ADDRESS_BITS = 48,
    LEAF_LOG2 = 36,
    LEAF_COUNT = 1 << (ADDRESS_BITS - LEAF_LOG2),
    LEAF_PAGES = 1 << (LEAF_LOG2 - PAGE_LOG2),
    LEAF_CHUNKS = 1 << (LEAF_LOG2 - CHUNK_LOG2),
};

struct page_map_leaf {
    uint8_t class_bytes[LEAF_PAGES];
    _Atomic uintptr_t chunk_slots[LEAF_CHUNKS]; /* pointer | tag; release pairs with acquire */
};

#define LEAF_BYTES ((uintptr_t)1 << LEAF_LOG2)

extern _Atomic(struct page_map_leaf *) page_map_leaves[LEAF_COUNT];

struct hot_leaf {
    _Atomic uintptr_t base;      /* its first address; all ones before it is set */
    const uint8_t *biased_bytes; /* class byte of address a at biased_bytes[a >> PAGE_LOG2] */
};

extern struct hot_leaf page_map_hot; /* written once; the release of base publishes both */

/* Makes room for the addresses [start, start + bytes). false: out of memory. */
bool page_map_cover(const void *start, size_t bytes);

/* The following take any address; those that set, only covered ones. */
unsigned page_map_class(const void *address);
void page_map_set_class(const void *first_page, unsigned pages, unsigned class);
struct chunk *page_map_chunk(const void *address);
struct huge *page_map_huge(const void *address);
void page_map_set_chunk(const void *address, struct chunk *chunk);
void page_map_set_huge(const void *address, struct huge *huge);

/* Does it lie in the hot leaf, aligned as every block is? One comparison tells both, so that free
 * knows at once of pointers that are not aligned. */
static ALWAYS_INLINE bool page_map_is_hot(const void *address)
{
    const uintptr_t fixed_bits = ~(LEAF_BYTES - 1) | (SLOT_ALIGN_BYTES - 1);
    /* acquire: pairs with the release in leaf_cover */
    return ((uintptr_t)address & fixed_bits) ==
           atomic_load_explicit(&page_map_hot.base, memory_order_acquire);
}

/* address: in the hot leaf. */
static ALWAYS_INLINE unsigned page_map_class_hot(const void *address)
{
    return page_map_hot.biased_bytes[(uintptr_t)address >> PAGE_LOG2];
}

size_t page_map_mapped_bytes(void);

#endif
