/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "subpage.h"

#include "bitmap.h"

#include <assert.h>

static_assert(sizeof(struct page) == 32, "two descriptors share a cache line");

void subpage_init(struct page *subpage, uint64_t *words, unsigned class)
{
    unsigned slot_count = size_classes[class].slot_count;
    for (unsigned i = 0; i < BITMAP_WORDS(slot_count); i++) {
        words[i] = bitmap_mask(i, 0, slot_count);
    }
    subpage->free_count = (uint16_t)slot_count;
    page_set_class(subpage, class);
    page_set_state(subpage, PAGE_SUBPAGE);
}

unsigned subpage_take(struct page *subpage, uint64_t *words, char *start, void **slots_end,
                      unsigned wanted)
{
    size_t slot_bytes = size_class_bytes(subpage->class);
    unsigned taken = wanted < subpage->free_count ? wanted : subpage->free_count;
    void **slots_start = slots_end - taken;
    for (unsigned i = 0; slots_end > slots_start; i++) {
        uint64_t word = words[i];
        char *word_start = start + (size_t)i * BITMAP_WORD_BITS * slot_bytes;
        while (word != 0 && slots_end > slots_start) {
            *--slots_end = word_start + lowest_set_bit(word) * slot_bytes;
            word &= word - 1;
        }
        words[i] = word;
    }
    subpage->free_count = (uint16_t)(subpage->free_count - taken);
    return taken;
}

bool subpage_is_free_between(const struct page *subpage, const uint64_t *words, size_t first_byte,
                             size_t end_byte)
{
    unsigned slot_count = size_classes[subpage->class].slot_count;
    unsigned first = slot_index(subpage->class, first_byte);
    unsigned end = slot_index(subpage->class, end_byte - 1) + 1;
    end = end < slot_count ? end : slot_count;
    return first >= end || bitmap_find(words, false, first, end) == end;
}

bool subpage_is_valid(const struct page *subpage, const uint64_t *words)
{
    unsigned slot_count = size_classes[subpage->class].slot_count;
    unsigned words_count = BITMAP_WORDS(slot_count);
    return bitmap_count(words, 0, slot_count) == subpage->free_count &&
           (words[words_count - 1] & ~bitmap_mask(words_count - 1, 0, slot_count)) == 0;
}
