/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decay.h"

#include "bin.h"
#include "bits.h"
#include "os.h"

#include <string.h>

enum { SPANS_PER_LOCK = 16 };

/* Spans on their way to the kernel: they count as in use. Changed with the arena's lock held. */
struct spans {
    struct arena *arena;
    struct chunk *chunk;
    unsigned count;
    struct page_span at[SPANS_PER_LOCK];
    bool is_purged[SPANS_PER_LOCK];
};

static struct spans spans_to_purge;

/* A chunk of an older epoch may be half changed: it is left alone, see arena.h on fork. */
static bool is_current_locked(const struct spans *spans) REQUIRES(spans->arena->lock)
{
    return likely(spans->chunk->epoch == spans->arena->epoch);
}

/* Returns the page to go on from. */
static unsigned reserve_spans(struct spans *spans, unsigned from)
{
    struct arena *arena = spans->arena;
    mutex_lock(&spans->arena->lock);
    while (spans->count < SPANS_PER_LOCK && from < CHUNK_PAGES && is_current_locked(spans)) {
        struct page_span span = chunk_reserve_span(spans->chunk, from);
        spans->at[spans->count] = span;
        spans->is_purged[spans->count] = false;
        spans->count += span.first < span.end;
        arena->used_pages += span.end - span.first;
        from = span.end;
    }
    arena_settle_chunk_locked(spans->arena, spans->chunk);
    mutex_unlock(&spans->arena->lock);
    return spans->count != 0 ? from : CHUNK_PAGES;
}

static void release_spans_locked(struct spans *spans) REQUIRES(spans->arena->lock)
{
    struct arena *arena = spans->arena;
    for (unsigned i = 0; i < spans->count && is_current_locked(spans); i++) {
        struct page_span span = spans->at[i];
        unsigned pages = span.end - span.first;
        chunk_release_span(spans->chunk, span, spans->is_purged[i]);
        arena->used_pages -= pages;
        arena->purged_bytes += spans->is_purged[i] ? pages * (size_t)PAGE_BYTES : 0;
        arena->purge_calls++;
    }
    spans->count = 0;
    arena_settle_chunk_locked(spans->arena, spans->chunk);
}

/* Purges up to SPANS_PER_LOCK spans of a chunk from page `from` on. Returns where to go on. */
static unsigned purge_spans(struct arena *arena, struct chunk *chunk, unsigned from)
{
    struct spans *spans = &spans_to_purge;
    spans->arena = arena;
    spans->chunk = chunk;
    from = reserve_spans(spans, from);
    for (unsigned i = 0; i < spans->count; i++) {
        struct page_span span = spans->at[i];
        spans->is_purged[i] = os_purge(chunk->base + (size_t)span.first * PAGE_BYTES,
                                       (size_t)(span.end - span.first) * PAGE_BYTES);
    }
    mutex_lock(&spans->arena->lock);
    release_spans_locked(spans);
    mutex_unlock(&spans->arena->lock);
    return from;
}

/* Takes a chunk that is free as a whole and long enough out of the arena, if another one stays. */
static bool withdraw_chunk(struct arena *arena, struct chunk *chunk)
{
    mutex_lock(&arena->lock);
    bool is_spare = chunk->epoch == arena->epoch && chunk->used_pages == 0 &&
                    chunk->usage_list == USAGE_INIT && arena->chunks.counts[USAGE_INIT] > 1 &&
                    memcmp(chunk->aged, chunk->dirty, sizeof(chunk->dirty)) == 0;
    if (is_spare) {
        chunk_groups_remove(&arena->chunks, chunk);
        list_remove(&chunk->all_link);
        arena->chunk_count--;
        arena->dirty_pages -= chunk->counted_dirty_pages;
        arena->purged_bytes += bitmap_count(chunk->dirty, 0, CHUNK_PAGES) * (size_t)PAGE_BYTES;
    }
    mutex_unlock(&arena->lock);
    return is_spare;
}

/* The all-list changes at its head only, but for us: `next` stays good outside the lock. */
static struct chunk *chunk_after(struct arena *arena, struct list *node)
{
    mutex_lock(&arena->lock);
    struct list *next = node->next;
    mutex_unlock(&arena->lock);
    return next == &arena->all_chunks ? NULL : list_entry(next, struct chunk, all_link);
}

/* See arena.h. Nobody but the purger reads or writes has_huge_pages of a chunk in use. */
static void refuse_huge_pages_if_sparse(struct arena *arena, struct chunk *chunk)
{
    if (likely(!chunk->has_huge_pages)) {
        return;
    }
    mutex_lock(&arena->lock);
    bool is_sparse = chunk->used_pages < CHUNK_PAGES / 2;
    mutex_unlock(&arena->lock);
    if (is_sparse) {
        chunk->has_huge_pages = false;
        os_refuse_huge_pages(chunk->base, CHUNK_BYTES);
    }
}

void decay_arena(struct arena *arena)
{
    struct chunk *next;
    for (struct chunk *chunk = chunk_after(arena, &arena->all_chunks); chunk != NULL;
         chunk = next) {
        next = chunk_after(arena, &chunk->all_link);
        if (withdraw_chunk(arena, chunk)) {
            chunk_destroy(chunk);
            continue;
        }
        refuse_huge_pages_if_sparse(arena, chunk);
        for (unsigned from = 0; from < CHUNK_PAGES;) {
            from = purge_spans(arena, chunk, from);
        }
        mutex_lock(&arena->lock);
        chunk_drop_ahead(chunk);
        chunk_age(chunk);
        arena_settle_chunk_locked(arena, chunk);
        mutex_unlock(&arena->lock);
    }
}

static void age_chunks(struct arena *arena)
{
    mutex_lock(&arena->lock);
    struct list *head = &arena->all_chunks;
    for (struct list *node = head->next; node != head; node = node->next) {
        chunk_age(list_entry(node, struct chunk, all_link));
    }
    mutex_unlock(&arena->lock);
}

void decay_arena_now(struct arena *arena)
{
    age_chunks(arena);
    decay_arena(arena);
}

static bool choose_bins(struct arena *arena, enum bin_choice choice, bool chosen[])
{
    bool any = false;
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        struct bin *bin = &arena->bins[class];
        mutex_lock(&bin->lock);
        uint32_t calls = (uint32_t)(bin->refill_count + bin->flush_count);
        chosen[class] = calls != bin->calls_purged && bin->free_slots != 0 &&
                        (choice == ALL_BINS || calls == bin->calls_seen);
        bin->calls_seen = calls;
        if (chosen[class]) {
            bin->calls_purged = calls;
            any = true;
        }
        mutex_unlock(&bin->lock);
    }
    return any;
}

void decay_free_slots(struct arena *arena, enum bin_choice choice)
{
    bool chosen[CLASS_COUNT] = {false};
    size_t purged_bytes = 0;
    if (!choose_bins(arena, choice, chosen)) {
        return;
    }
    for (struct chunk *chunk = chunk_after(arena, &arena->all_chunks); chunk != NULL;
         chunk = chunk_after(arena, &chunk->all_link)) {
        for (unsigned i = 0; i < CHUNK_PAGES && !chunk->has_huge_pages; i++) {
            struct page *page = &chunk->pages[i];
            bool is_subpage = page->state == PAGE_SUBPAGE;
            unsigned class = page->class; /* gcc 12 would not load an index atomically */
            if (is_subpage && chosen[class]) {
                purged_bytes += bin_purge_subpage(arena, page);
            }
        }
    }
    mutex_lock(&arena->lock);
    arena->purged_bytes += purged_bytes;
    mutex_unlock(&arena->lock);
}

/* The forking thread may have been interrupted while it held the arena's lock: then the spans stay
 * in use, which the arena's sums allow for. */
void decay_abandon(void)
{
    struct spans *spans = &spans_to_purge;
    if (spans->count != 0 && mutex_try_lock(&spans->arena->lock)) {
        release_spans_locked(spans);
        mutex_unlock(&spans->arena->lock);
    }
    spans->count = 0;
}
