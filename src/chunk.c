/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chunk.h"

#include "meta.h"
#include "mutex.h"
#include "os.h"
#include "page_map.h"
#include "panic.h"

#include <string.h>

enum {
    HUGE_PAGE_BYTES = 2 << 20,
    SMALL_HEAP_CHUNKS = 4,
};

static _Atomic uint32_t mapped_count; /* relaxed: a hint */

/* Descriptors of chunks that were unmapped, all free but for stale dirty bits. */
static struct {
    struct mutex lock; /* guards first */
    struct chunk *first;
} recycled;

static struct chunk *descriptor_create(void)
{
    mutex_lock(&recycled.lock);
    struct chunk *chunk = recycled.first;
    if (chunk != NULL) {
        recycled.first = chunk->next_recycled;
    }
    mutex_unlock(&recycled.lock);
    return chunk != NULL ? chunk : meta_alloc(sizeof(*chunk), 64);
}

static void descriptor_destroy(struct chunk *chunk)
{
    mutex_lock(&recycled.lock);
    chunk->next_recycled = recycled.first;
    recycled.first = chunk;
    mutex_unlock(&recycled.lock);
}

struct chunk *chunk_create(struct arena *arena, void *hint)
{
    struct chunk *chunk = descriptor_create();
    if (chunk == NULL) {
        return NULL;
    }
    char *base = os_map(CHUNK_BYTES, CHUNK_BYTES, hint, "poolmalloc chunk");
    if (base == NULL) {
        goto no_memory;
    }
    if (!page_map_cover(base, CHUNK_BYTES)) {
        goto not_covered;
    }
    chunk->arena = arena;
    chunk->base = base;
    memset(chunk->dirty, 0, sizeof(chunk->dirty));
    memset(chunk->aged, 0, sizeof(chunk->aged));
    chunk->ahead_first = 0;
    chunk->ahead_end = 0;
    chunk->has_huge_pages = false;
    chunk->dirty_pages = 0;
    chunk->counted_dirty_pages = 0;
    chunk->longest_gap = CHUNK_PAGES;
    page_map_set_chunk(base, chunk);
    if (atomic_fetch_add_explicit(&mapped_count, 1, memory_order_relaxed) < SMALL_HEAP_CHUNKS) {
        os_refuse_huge_pages(base, CHUNK_BYTES);
    }
    return chunk;

not_covered:
    os_unmap(base, CHUNK_BYTES);
no_memory:
    descriptor_destroy(chunk);
    return NULL;
}

void chunk_destroy(struct chunk *chunk)
{
    pm_assert(chunk->used_pages == 0);
    atomic_fetch_sub_explicit(&mapped_count, 1, memory_order_relaxed);
    page_map_set_chunk(chunk->base, NULL);
    os_unmap(chunk->base, CHUNK_BYTES);
    descriptor_destroy(chunk);
}

/* Returns how many of the pages were clean. */
static unsigned take_pages(struct chunk *chunk, unsigned first, unsigned end)
{
    unsigned dirty_pages = bitmap_count(chunk->dirty, first, end);
    chunk->dirty_pages = (uint16_t)(chunk->dirty_pages - dirty_pages);
    bitmap_set(chunk->in_use, first, end);
    buddy_update(chunk->tree, chunk->in_use, first, end);
    bitmap_set(chunk->dirty, first, end);
    bitmap_clear(chunk->aged, first, end);
    chunk->used_pages = (uint16_t)(chunk->used_pages + (end - first));
    return end - first - dirty_pages;
}

/* The gap that these pages are in now may be the longest. */
static void note_gap(struct chunk *chunk, unsigned first, unsigned end)
{
    unsigned pages = bitmap_find(chunk->in_use, true, end, CHUNK_PAGES) -
                     bitmap_zeros_before(chunk->in_use, first);
    if (pages > chunk->longest_gap) {
        chunk->longest_gap = (uint16_t)pages;
    }
}

static void give_pages(struct chunk *chunk, unsigned first, unsigned end, bool is_purged)
{
    bitmap_clear(chunk->in_use, first, end);
    buddy_update(chunk->tree, chunk->in_use, first, end);
    note_gap(chunk, first, end);
    chunk->used_pages = (uint16_t)(chunk->used_pages - (end - first));
    if (is_purged) {
        bitmap_clear(chunk->dirty, first, end);
    } else {
        chunk->dirty_pages = (uint16_t)(chunk->dirty_pages + (end - first));
    }
}

static struct chunk_run run_from(struct chunk *chunk, unsigned first, unsigned pages)
{
    struct page *page = &chunk->pages[first];
    struct chunk_run run = {page, take_pages(chunk, first, first + pages)};
    page->chunk = chunk;
    page->run_pages = (uint16_t)pages;
    return run;
}

struct chunk_run chunk_alloc_run(struct chunk *chunk, unsigned pages, unsigned order)
{
    unsigned first = buddy_find(chunk->tree, chunk->in_use, order);
    if (first == BUDDY_NO_PAGE) {
        return (struct chunk_run){0};
    }
    return run_from(chunk, first, pages);
}

struct chunk_run chunk_alloc_in_gap(struct chunk *chunk, unsigned pages)
{
    unsigned first = bitmap_find_zeros(chunk->in_use, CHUNK_PAGES, pages);
    if (first == CHUNK_PAGES) {
        chunk->longest_gap = (uint16_t)(pages - 1);
        return (struct chunk_run){0};
    }
    return run_from(chunk, first, pages);
}

void chunk_drop_ahead(struct chunk *chunk)
{
    for (unsigned page = chunk->ahead_first; page < chunk->ahead_end; page++) {
        if (!bitmap_test(chunk->in_use, page) && !bitmap_test(chunk->dirty, page)) {
            bitmap_set(chunk->dirty, page, page + 1);
            chunk->dirty_pages++;
        }
    }
    chunk->ahead_first = 0;
    chunk->ahead_end = 0;
}

unsigned chunk_claim_ahead(struct page *page, unsigned pages)
{
    struct chunk *chunk = page->chunk;
    unsigned first = page_index(chunk, page) + page->run_pages;
    unsigned stretch_pages = chunk->ahead_end - chunk->ahead_first;
    unsigned used_pages = bitmap_count(chunk->in_use, chunk->ahead_first, chunk->ahead_end);
    bool is_inside = first > chunk->ahead_first && first <= chunk->ahead_end;
    if (is_inside || stretch_pages - used_pages > stretch_pages / 4) {
        return 0;
    }
    chunk_drop_ahead(chunk);
    unsigned end = first + pages < CHUNK_PAGES ? first + pages : CHUNK_PAGES;
    end = bitmap_find(chunk->in_use, true, first, end);
    end = bitmap_find(chunk->dirty, true, first, end);
    chunk->ahead_first = (uint16_t)first;
    chunk->ahead_end = (uint16_t)end;
    return end - first;
}

void chunk_free_run(struct page *page, bool is_purged)
{
    struct chunk *chunk = page->chunk;
    unsigned first = page_index(chunk, page);
    give_pages(chunk, first, first + page->run_pages, is_purged);
    page_set_state(page, PAGE_FREE);
}

bool chunk_extend_run(struct page *page, unsigned new_pages)
{
    struct chunk *chunk = page->chunk;
    unsigned first = page_index(chunk, page);
    unsigned end = first + page->run_pages;
    unsigned new_end = first + new_pages;
    if (new_end > CHUNK_PAGES || bitmap_any(chunk->in_use, end, new_end)) {
        return false;
    }
    take_pages(chunk, end, new_end);
    page->run_pages = (uint16_t)new_pages;
    return true;
}

void chunk_shrink_run(struct page *page, unsigned new_pages)
{
    struct chunk *chunk = page->chunk;
    unsigned first = page_index(chunk, page);
    give_pages(chunk, first + new_pages, first + page->run_pages, false);
    page->run_pages = (uint16_t)new_pages;
}

/* Widens a span over its free neighbours up to OS page bounds, then cuts what is not whole. */
static struct page_span whole_os_pages(const struct chunk *chunk, struct page_span span)
{
    size_t os_bytes = chunk->has_huge_pages ? HUGE_PAGE_BYTES : os_page_bytes();
    unsigned os_pages = (unsigned)(os_bytes >> PAGE_LOG2);
    if (os_pages <= 1) {
        return span;
    }
    while (span.first % os_pages != 0 && !bitmap_test(chunk->in_use, span.first - 1)) {
        span.first--;
    }
    while (span.end % os_pages != 0 && !bitmap_test(chunk->in_use, span.end)) {
        span.end++;
    }
    span.first = (unsigned)align_up(span.first, os_pages);
    span.end = (unsigned)align_down(span.end, os_pages);
    return span;
}

struct page_span chunk_reserve_span(struct chunk *chunk, unsigned from)
{
    while (from < CHUNK_PAGES) {
        unsigned first = bitmap_find(chunk->aged, true, from, CHUNK_PAGES);
        unsigned end = bitmap_find(chunk->aged, false, first, CHUNK_PAGES);
        struct page_span span = whole_os_pages(chunk, (struct page_span){first, end});
        if (span.first < span.end) {
            take_pages(chunk, span.first, span.end);
            return span;
        }
        from = end;
    }
    return (struct page_span){CHUNK_PAGES, CHUNK_PAGES};
}

void chunk_release_span(struct chunk *chunk, struct page_span span, bool is_purged)
{
    give_pages(chunk, span.first, span.end, is_purged);
}

void chunk_age(struct chunk *chunk)
{
    for (unsigned i = 0; i < BITMAP_WORDS(CHUNK_PAGES); i++) {
        chunk->aged[i] = chunk->dirty[i] & ~chunk->in_use[i];
    }
}

static bool pages_are_valid(const struct chunk *chunk)
{
    for (unsigned i = 0; i < CHUNK_PAGES; i++) {
        const struct page *page = &chunk->pages[i];
        bool is_used = bitmap_test(chunk->in_use, i);
        bool is_first = page->state == PAGE_SUBPAGE || page->state == PAGE_RUN;
        if ((is_first && !is_used) ||
            (bitmap_test(chunk->aged, i) && (is_used || !bitmap_test(chunk->dirty, i)))) {
            return false;
        }
        if (is_first &&
            bitmap_find(chunk->in_use, false, i, i + page->run_pages) != i + page->run_pages) {
            return false;
        }
    }
    return true;
}

static unsigned free_dirty_pages(const struct chunk *chunk)
{
    unsigned count = 0;
    for (unsigned i = 0; i < BITMAP_WORDS(CHUNK_PAGES); i++) {
        count += count_set_bits(chunk->dirty[i] & ~chunk->in_use[i]);
    }
    return count;
}

bool chunk_is_valid(const struct chunk *chunk)
{
    unsigned longer = chunk->longest_gap + 1U;
    return (longer > CHUNK_PAGES ||
            bitmap_find_zeros(chunk->in_use, CHUNK_PAGES, longer) == CHUNK_PAGES) &&
           buddy_is_valid(chunk->tree, chunk->in_use) &&
           chunk->used_pages == bitmap_count(chunk->in_use, 0, CHUNK_PAGES) &&
           chunk->dirty_pages == free_dirty_pages(chunk) && pages_are_valid(chunk);
}

void chunk_abandon_lock(void)
{
    if (mutex_abandon(&recycled.lock)) {
        recycled.first = NULL;
    }
}
