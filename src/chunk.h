/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 16 MiB of address space split into pages by one buddy tree. All 2048 pages are usable: the
 * descriptor lies in metadata memory.
 *
 *     struct chunk: page bitmaps | buddy tree | pages 64 KiB | slot bitmaps 128 KiB
 *     its 16 MiB   | run, 3 pages | subpage 48 B x 170 | free | free, dirty | ...
 *       pages        0-2            3                    4      5
 *
 * A zero-filled descriptor is a free chunk; what of it is never used is never resident. The first
 * chunks of a process refuse huge pages, which would make 2 MiB resident for each touch.
 * Page bitmaps: in_use is what the tree sums up; dirty: written since it was last known to be zero;
 * aged: free and dirty since the last step of decay.
 *
 * Invariants (chunk_is_valid):
 *  1. The tree sums up in_use; used_pages counts it.
 *  2. An aged page is dirty and not in_use.
 *  3. dirty_pages counts those dirty and not in_use.
 *  4. Every page of a run or subpage is in_use.
 *  5. No gap is longer than longest_gap.
 *
 * Locks: guarded by the owning arena's lock, but for what subpage.h says. */
#ifndef POOLMALLOC_CHUNK_H
#define POOLMALLOC_CHUNK_H

#include "bitmap.h"
#include "buddy.h"
#include "subpage.h"

struct arena;
struct chunk_group;

struct chunk {
    struct list all_link;        /* in the arena's list of all chunks; left only by the purger */
    struct arena *arena;         /* const while mapped */
    char *base;                  /* const while mapped */
    struct chunk *next_recycled; /* while unmapped */
    struct chunk_group *group;   /* where it stands, see chunk_groups.h */
    uint8_t place;
    uint8_t usage_list;   /* enum chunk_usage */
    uint16_t ahead_first; /* pages resident ahead of use, see chunk_claim_ahead */
    uint16_t ahead_end;
    uint16_t used_pages;
    uint16_t longest_gap;         /* at most: of pages in a row that are not in use */
    uint16_t dirty_pages;         /* free and dirty */
    uint16_t counted_dirty_pages; /* what the arena's sum holds of them */
    bool has_huge_pages;          /* purged in whole huge pages only, see arena.h */
    uint32_t epoch;               /* the arena's at creation, see arena.h on fork */
    uint64_t in_use[BITMAP_WORDS(CHUNK_PAGES)];
    uint64_t dirty[BITMAP_WORDS(CHUNK_PAGES)];
    uint64_t aged[BITMAP_WORDS(CHUNK_PAGES)];
    uint8_t tree[BUDDY_NODES];
    struct page pages[CHUNK_PAGES];
    uint64_t slot_words[CHUNK_PAGES * PAGE_WORDS];
};

struct chunk_run {
    struct page *page;    /* first page; NULL: nothing fits */
    unsigned clean_pages; /* of them, those known to be zero and not resident */
};

/* Maps a chunk and enters it into the chunk map. hint: wanted address or NULL.
 * NULL: out of memory. Takes no arena lock. */
struct chunk *chunk_create(struct arena *arena, void *hint);
/* chunk: no page in use, in no list. */
void chunk_destroy(struct chunk *chunk);

static inline unsigned page_index(const struct chunk *chunk, const struct page *page)
{
    return (unsigned)(page - chunk->pages);
}

static inline char *page_start(const struct page *page)
{
    return page->chunk->base + ((size_t)page_index(page->chunk, page) << PAGE_LOG2);
}

static inline uint64_t *page_words(const struct page *page)
{
    return &page->chunk->slot_words[(size_t)page_index(page->chunk, page) * PAGE_WORDS];
}

/* The descriptor of the page that holds an address of the chunk. */
static inline struct page *chunk_page(struct chunk *chunk, const void *address)
{
    return &chunk->pages[(size_t)((const char *)address - chunk->base) >> PAGE_LOG2];
}

/* order: log2 of the pages it is aligned to; 2^order >= pages. Tightest fit in the buddy tree. */
struct chunk_run chunk_alloc_run(struct chunk *chunk, unsigned pages, unsigned order);
/* Of no alignment, in the first gap that is long enough; between buddies too. */
struct chunk_run chunk_alloc_in_gap(struct chunk *chunk, unsigned pages);
/* page: as it was returned above; its pages become free and, unless they were purged, stay
 * dirty. */
void chunk_free_run(struct page *page, bool is_purged);
/* Pages made resident ahead of use: a chunk has at most one such stretch, free and still zero.
 * Starts one behind a run, of at most `pages`. Returns its pages, 0: the run lies in the last
 * stretch, or more than a quarter of that is still free. */
unsigned chunk_claim_ahead(struct page *page, unsigned pages);
/* What is left of the stretch becomes dirty, so that it decays like other free pages. */
void chunk_drop_ahead(struct chunk *chunk);
/* Grows a run in place when the pages behind it are free, or gives back its tail. */
bool chunk_extend_run(struct page *page, unsigned new_pages);
void chunk_shrink_run(struct page *page, unsigned new_pages);

/* Takes a span of aged pages, whole OS pages, so that it can be purged outside the lock; its pages
 * count as in use until chunk_release_span. from: where to look on.
 * first == end: none. */
struct page_span {
    unsigned first;
    unsigned end;
};
struct page_span chunk_reserve_span(struct chunk *chunk, unsigned from);
void chunk_release_span(struct chunk *chunk, struct page_span span, bool is_purged);
/* One step of decay: what is free and dirty now is aged. */
void chunk_age(struct chunk *chunk);

/* In a forked child. */
void chunk_abandon_lock(void);

bool chunk_is_valid(const struct chunk *chunk);

#endif
