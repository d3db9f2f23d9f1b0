/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bin.h"

#include "os.h"
#include "page_map.h"
#include "panic.h"
#include "tick.h"

enum { PREFETCH_SLOTS = 4 };

static struct page *subpage_create(struct arena *arena, unsigned class, uint16_t epoch)
{
    struct page *subpage = arena_alloc_run(arena, class, 0).page;
    if (subpage == NULL) {
        return NULL;
    }
    subpage->epoch = epoch;
    for (unsigned i = 1; i < subpage->run_pages; i++) {
        page_set_state(&subpage[i], PAGE_TAIL);
        subpage[i].head_offset = (uint16_t)i;
    }
    subpage_init(subpage, page_words(subpage), class);
    page_map_set_class(page_start(subpage), subpage->run_pages, class);
    return subpage;
}

static void subpage_destroy(struct page *subpage)
{
    page_map_set_class(page_start(subpage), subpage->run_pages, CLASS_NONE);
    arena_free_run(subpage);
}

unsigned bin_refill(struct arena *arena, unsigned class, void **slots_end, unsigned wanted)
{
    struct bin *bin = &arena->bins[class];
    unsigned taken = 0;
    mutex_lock(&bin->lock);
    bin->refill_count++;
    while (taken < wanted) {
        struct page *subpage;
        if (list_is_empty(&bin->subpages)) {
            if (taken != 0 || (subpage = subpage_create(arena, class, bin->epoch)) == NULL) {
                break;
            }
            list_insert_after(&bin->subpages, &subpage->link);
            bin->free_slots += subpage->free_count;
        } else {
            subpage = list_entry(bin->subpages.next, struct page, link);
        }
        unsigned got = subpage_take(subpage, page_words(subpage), page_start(subpage),
                                    slots_end - taken, wanted - taken);
        if (subpage->free_count == 0) {
            list_remove(&subpage->link);
        }
        taken += got;
        bin->free_slots -= got;
    }
    mutex_unlock(&bin->lock);
    return taken;
}

/* The first page of the subpage that holds an address; NULL when there is none of this class. */
static struct page *subpage_of(const void *address, unsigned class)
{
    struct chunk *chunk = page_map_chunk(address);
    if (unlikely(chunk == NULL)) {
        return NULL;
    }
    struct page *page = chunk_page(chunk, address);
    if (page->state == PAGE_TAIL) {
        page -= page->head_offset;
    }
    return likely(page->state == PAGE_SUBPAGE && page->class == class) ? page : NULL;
}

/* The bin that a flush works on, and the subpage of its last slot. */
struct flush {
    unsigned class;
    struct bin *bin; /* locked, or NULL */
    struct page *subpage;
    uint64_t *words;
    char *start;
    size_t bytes; /* of the subpage's pages; 0: no subpage yet */
    unsigned freed;
};

/* Counts what was set in the current subpage, and moves it to where it belongs now. */
static void settle_subpage(struct flush *flush)
{
    struct page *subpage = flush->subpage;
    struct bin *bin = flush->bin;
    if (flush->freed == 0) {
        return;
    }
    bool was_full = subpage->free_count == 0;
    unsigned slot_count = size_classes[flush->class].slot_count;
    subpage->free_count = (uint16_t)(subpage->free_count + flush->freed);
    bin->free_slots += flush->freed;
    if (subpage->free_count == slot_count) {
        if (!was_full) {
            list_remove(&subpage->link);
        }
        bin->free_slots -= slot_count;
        subpage_destroy(subpage);
    } else if (was_full) {
        list_insert_after(&bin->subpages, &subpage->link);
    }
    flush->freed = 0;
}

static void leave_bin(struct flush *flush) NO_THREAD_SAFETY_ANALYSIS
{
    if (flush->bin != NULL) {
        settle_subpage(flush);
        mutex_unlock(&flush->bin->lock);
        flush->bin = NULL;
    }
}

COLD NORETURN static void fail(struct flush *flush, const char *what, const void *address)
{
    leave_bin(flush);
    panic_at(what, address, size_class_bytes(flush->class), "-byte slot");
}

/* Makes the subpage of this slot the current one. false: drop the slot, see arena.h on fork. */
static bool enter_subpage(struct flush *flush, const void *slot) NO_THREAD_SAFETY_ANALYSIS
{
    struct page *subpage = subpage_of(slot, flush->class);
    if (unlikely(subpage == NULL)) {
        fail(flush, FATAL_DOUBLE_FREE, slot);
    }
    struct bin *bin = &subpage->chunk->arena->bins[flush->class];
    if (bin != flush->bin) {
        leave_bin(flush);
        mutex_lock(&bin->lock);
        bin->flush_count++;
        flush->bin = bin;
    } else {
        settle_subpage(flush);
    }
    flush->subpage = subpage;
    flush->words = page_words(subpage);
    flush->start = page_start(subpage);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): bin is never NULL here */
    flush->bytes = likely(subpage->epoch == bin->epoch) ? subpage->run_pages * PAGE_BYTES : 0;
    return flush->bytes != 0;
}

/* Slots come in any order: their descriptors and bitmaps are asked for ahead of use. */
static inline void prefetch_slot(const struct page *near, const char *slot)
{
    const struct chunk *chunk = near == NULL ? NULL : near->chunk;
    if (chunk != NULL && (size_t)(slot - chunk->base) < CHUNK_BYTES) {
        size_t index = (size_t)(slot - chunk->base) >> PAGE_LOG2;
        __builtin_prefetch(&chunk->pages[index]);
        __builtin_prefetch(&chunk->slot_words[index * PAGE_WORDS], 1);
    }
}

static void flush_slots(unsigned class, void *const *slots, unsigned count)
{
    struct flush flush = {.class = class};
    size_t slot_bytes = size_class_bytes(class);
    unsigned slot_count = size_classes[class].slot_count;
    for (unsigned i = 0; i < count; i++) {
        char *slot = slots[i];
        if (i + PREFETCH_SLOTS < count) {
            prefetch_slot(flush.subpage, slots[i + PREFETCH_SLOTS]);
        }
        if ((size_t)(slot - flush.start) >= flush.bytes && !enter_subpage(&flush, slot)) {
            continue;
        }
        size_t offset = (size_t)(slot - flush.start);
        unsigned index = slot_index(class, offset);
        if (unlikely(index * slot_bytes != offset || index >= slot_count)) {
            fail(&flush, FATAL_INTERIOR, slot);
        }
        uint64_t *word = &flush.words[index / BITMAP_WORD_BITS];
        uint64_t bit = UINT64_C(1) << index % BITMAP_WORD_BITS;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): bytes is 0 until words is set */
        if (unlikely((*word & bit) != 0)) {
            fail(&flush, FATAL_DOUBLE_FREE, slot);
        }
        *word |= bit;
        flush.freed++;
    }
    leave_bin(&flush);
}

void bin_flush(unsigned class, void *const *slots, unsigned count)
{
    if (size_class_is_small(class)) {
        tick_wake();
        flush_slots(class, slots, count);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        arena_free_normal(arena_normal_page(slots[i]));
    }
}

bool bin_slot_is_taken(const void *address, void **block)
{
    unsigned class = page_map_class(address);
    struct page *subpage = subpage_of(address, class);
    if (subpage == NULL) {
        return false;
    }
    size_t offset = (size_t)((const char *)address - page_start(subpage));
    unsigned index = slot_index(class, offset);
    *block = page_start(subpage) + index * size_class_bytes(class);
    return index < size_classes[class].slot_count && !bitmap_test(page_words(subpage), index);
}

/* Under the lock of its bin, so that no slot of it is handed out meanwhile: a subpage is short. */
static size_t purge_subpage_locked(struct bin *bin, struct page *subpage) REQUIRES(bin->lock)
{
    pm_assert(mutex_is_held(&bin->lock));
    size_t purged_bytes = 0;
    size_t bytes = subpage->run_pages * (size_t)PAGE_BYTES;
    size_t os_bytes = os_page_bytes();
    char *start = page_start(subpage);
    size_t first = align_up((size_t)start, os_bytes) - (size_t)start;
    while (first + os_bytes <= bytes) {
        size_t end = first;
        while (end + os_bytes <= bytes &&
               subpage_is_free_between(subpage, page_words(subpage), end, end + os_bytes)) {
            end += os_bytes;
        }
        if (end > first && os_purge(start + first, end - first)) {
            purged_bytes += end - first;
        }
        first = end + os_bytes;
    }
    return purged_bytes;
}

size_t bin_purge_subpage(struct arena *arena, struct page *subpage)
{
    unsigned class = subpage->class;
    if (subpage->state != PAGE_SUBPAGE || !size_class_is_small(class)) {
        return 0;
    }
    struct bin *bin = &arena->bins[class];
    size_t purged_bytes = 0;
    mutex_lock(&bin->lock);
    if (subpage->state == PAGE_SUBPAGE && subpage->class == class && subpage->free_count != 0 &&
        subpage->epoch == bin->epoch) {
        purged_bytes = purge_subpage_locked(bin, subpage);
    }
    mutex_unlock(&bin->lock);
    return purged_bytes;
}

static bool subpages_are_valid_locked(struct bin *bin, unsigned class) REQUIRES(bin->lock)
{
    uint64_t free_slots = 0;
    for (struct list *node = bin->subpages.next; node != &bin->subpages; node = node->next) {
        struct page *subpage = list_entry(node, struct page, link);
        free_slots += subpage->free_count;
        if (subpage->state != PAGE_SUBPAGE || subpage->class != class || subpage->free_count == 0 ||
            !subpage_is_valid(subpage, page_words(subpage))) {
            return false;
        }
    }
    return free_slots == bin->free_slots;
}

bool bin_is_valid(struct arena *arena, unsigned class)
{
    struct bin *bin = &arena->bins[class];
    mutex_lock(&bin->lock);
    bool is_valid = subpages_are_valid_locked(bin, class);
    mutex_unlock(&bin->lock);
    return is_valid;
}
