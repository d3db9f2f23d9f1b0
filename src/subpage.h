/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One page descriptor, and subpages: runs cut into equal slots of one class.
 *
 *     run of 3 pages, class 1280 B | slot 0 | slot 1 | ... | slot 18 | tail |
 *     its bitmap (1 bit a slot, 8 words a page, only the first ones used)  1 = free
 *
 * Invariants (subpage_is_valid):
 *  1. free_count is the number of bits set; no bit at or above slot_count is set.
 *  2. A slot that lies in a magazine counts as taken: bits tell what an arena may hand out.
 *
 * Descriptor and bitmap lie in metadata memory; the slots themselves are never touched.
 * No locks: guarded by the lock of the bin that the subpage belongs to. */
#ifndef POOLMALLOC_SUBPAGE_H
#define POOLMALLOC_SUBPAGE_H

#include "list.h"
#include "size_class.h"

#include <stdatomic.h>

struct chunk;

enum page_state {
    PAGE_FREE,    /* free, or not the first page of anything: zero-filled descriptors say this */
    PAGE_SUBPAGE, /* first page of a subpage */
    PAGE_RUN,     /* first page of a normal run */
    PAGE_TAIL,    /* further page of a subpage; head_offset says how far */
};

struct page {
    struct list link;    /* in its bin while it has free slots; guarded by the bin's lock */
    struct chunk *chunk; /* first pages only; const while in use */
    uint16_t free_count; /* subpages: bits set; guarded by the bin's lock */
    uint16_t run_pages;  /* first pages: length of the run */
    union {
        uint16_t epoch;       /* subpages: the bin's at creation, see arena.h on fork */
        uint16_t head_offset; /* tails: pages back to the first one */
    };
    /* Atomic for the purger, which looks before it locks: state is released last. */
    _Atomic uint8_t state; /* enum page_state */
    _Atomic uint8_t class; /* first pages: size class */
};

enum { PAGE_WORDS = PAGE_MAX_SLOTS / 64 };

static inline void page_set_state(struct page *page, enum page_state state)
{
    /* release: pairs with the load of the purger */
    atomic_store_explicit(&page->state, (uint8_t)state, memory_order_release);
}

static inline void page_set_class(struct page *page, unsigned class)
{
    atomic_store_explicit(&page->class, (uint8_t) class, memory_order_relaxed);
}

/* Marks all slots free. words: the bitmap words of the subpage's pages. */
void subpage_init(struct page *subpage, uint64_t *words, unsigned class);

/* Takes up to `wanted` free slots, lowest address first, writing them downwards from slots_end.
 * start: the address of slot 0. Returns how many. */
unsigned subpage_take(struct page *subpage, uint64_t *words, char *start, void **slots_end,
                      unsigned wanted);

/* Is every slot free that overlaps these bytes of the subpage? end: at most its pages' bytes. */
bool subpage_is_free_between(const struct page *subpage, const uint64_t *words, size_t first_byte,
                             size_t end_byte);

bool subpage_is_valid(const struct page *subpage, const uint64_t *words);

#endif
