/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "page_map.h"

#include "os.h"

#include <string.h>

enum chunk_slot_tag { TAG_CHUNK = 0, TAG_HUGE = 1, TAG_MASK = 1 };

_Atomic(struct page_map_leaf *) page_map_leaves[LEAF_COUNT];

struct hot_leaf page_map_hot = {.base = UINTPTR_MAX};
/* relaxed: a statistic. In .data it is on the page of the hot leaf, not behind the table. */
static _Atomic uint32_t leaf_count __attribute__((section(".data")));

static struct page_map_leaf *leaf_of(const void *address)
{
    uintptr_t number = (uintptr_t)address >> LEAF_LOG2;
    /* acquire: pairs with the release in leaf_cover */
    return number >= LEAF_COUNT
               ? NULL
               : atomic_load_explicit(&page_map_leaves[number], memory_order_acquire);
}

static bool leaf_cover(uintptr_t number)
{
    if (number >= LEAF_COUNT) {
        return false;
    }
    if (atomic_load_explicit(&page_map_leaves[number], memory_order_acquire) != NULL) {
        return true;
    }
    struct page_map_leaf *fresh =
        os_map(sizeof(*fresh), os_page_bytes(), NULL, "poolmalloc page map");
    if (fresh == NULL) {
        return false;
    }
    os_refuse_huge_pages(fresh, sizeof(*fresh));
    struct page_map_leaf *expected = NULL;
    if (!atomic_compare_exchange_strong_explicit(&page_map_leaves[number], &expected, fresh,
                                                 memory_order_release, memory_order_relaxed)) {
        os_unmap(fresh, sizeof(*fresh));
        return true;
    }
    if (atomic_fetch_add_explicit(&leaf_count, 1, memory_order_relaxed) == 0) {
        page_map_hot.biased_bytes =
            (const uint8_t *)((uintptr_t)fresh->class_bytes - number * LEAF_PAGES);
        atomic_store_explicit(&page_map_hot.base, number << LEAF_LOG2, memory_order_release);
    }
    return true;
}

bool page_map_cover(const void *start, size_t bytes)
{
    uintptr_t last = ((uintptr_t)start + bytes - 1) >> LEAF_LOG2;
    for (uintptr_t number = (uintptr_t)start >> LEAF_LOG2; number <= last; number++) {
        if (!leaf_cover(number)) {
            return false;
        }
    }
    return true;
}

unsigned page_map_class(const void *address)
{
    const struct page_map_leaf *leaf = leaf_of(address);
    return leaf == NULL ? CLASS_NONE
                        : leaf->class_bytes[((uintptr_t)address >> PAGE_LOG2) % LEAF_PAGES];
}

void page_map_set_class(const void *first_page, unsigned pages, unsigned class)
{
    struct page_map_leaf *leaf = leaf_of(first_page);
    uint8_t *bytes = &leaf->class_bytes[((uintptr_t)first_page >> PAGE_LOG2) % LEAF_PAGES];
    memset(bytes, (int)class, pages);
}

static uintptr_t chunk_slot(const void *address)
{
    struct page_map_leaf *leaf = leaf_of(address);
    if (leaf == NULL) {
        return 0;
    }
    uintptr_t index = ((uintptr_t)address >> CHUNK_LOG2) % LEAF_CHUNKS;
    return atomic_load_explicit(&leaf->chunk_slots[index], memory_order_acquire);
}

static void set_chunk_slot(const void *address, uintptr_t tagged)
{
    uintptr_t index = ((uintptr_t)address >> CHUNK_LOG2) % LEAF_CHUNKS;
    atomic_store_explicit(&leaf_of(address)->chunk_slots[index], tagged, memory_order_release);
}

struct chunk *page_map_chunk(const void *address)
{
    uintptr_t slot = chunk_slot(address);
    return (slot & TAG_MASK) == TAG_CHUNK ? (struct chunk *)slot : NULL;
}

struct huge *page_map_huge(const void *address)
{
    uintptr_t slot = chunk_slot(address);
    return (slot & TAG_MASK) == TAG_HUGE ? (struct huge *)(slot & ~(uintptr_t)TAG_MASK) : NULL;
}

void page_map_set_chunk(const void *address, struct chunk *chunk)
{
    set_chunk_slot(address, (uintptr_t)chunk);
}

void page_map_set_huge(const void *address, struct huge *huge)
{
    set_chunk_slot(address, huge == NULL ? 0 : (uintptr_t)huge | TAG_HUGE);
}

size_t page_map_mapped_bytes(void)
{
    return sizeof(page_map_leaves) +
           atomic_load_explicit(&leaf_count, memory_order_relaxed) * sizeof(struct page_map_leaf);
}
