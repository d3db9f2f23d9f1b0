/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena.h"

#include "budget.h"
#include "config.h"
#include "os.h"
#include "page_map.h"
#include "panic.h"
#include "sparse.h"
#include "tick.h"

/* Bounds of a usage list in percent: a chunk leaves downwards below min, upwards from max on. */
static const struct {
    uint8_t min;
    uint8_t max;
} usage_bounds[USAGE_LIST_COUNT] = {
    [USAGE_INIT] = {0, 25}, [USAGE_0] = {1, 50},    [USAGE_25] = {25, 75},
    [USAGE_50] = {50, 100}, [USAGE_75] = {75, 100}, [USAGE_100] = {100, 101},
};

enum {
    AHEAD_MAX_PAGES = 32,
    MUCH_CACHED_SHARE = 8,
    GROWTH_SHARE = 16,
    CACHED_GROWTH_SHARE = 256,
    GROWTH_SLACK_PAGES = (2 << 20) / PAGE_BYTES,
    GARBAGE_PAGES = (64 << 20) / PAGE_BYTES,
    DENSE_MIN_CHUNKS = 4,
};

_Atomic bool arena_wants_purge;

static const uint8_t search_order[] = {USAGE_75, USAGE_50, USAGE_25, USAGE_0, USAGE_INIT};

void arena_settle_chunk_locked(struct arena *arena, struct chunk *chunk)
{
    if (unlikely(chunk->epoch != arena->epoch)) {
        return;
    }
    arena->dirty_pages += chunk->dirty_pages;
    arena->dirty_pages -= chunk->counted_dirty_pages;
    chunk->counted_dirty_pages = chunk->dirty_pages;
    unsigned percent = chunk->used_pages * 100U / CHUNK_PAGES;
    if (percent == 0 && chunk->used_pages != 0) {
        percent = 1;
    }
    unsigned usage = chunk->usage_list;
    while (percent >= usage_bounds[usage].max) {
        usage++;
    }
    while (percent < usage_bounds[usage].min) {
        usage--;
    }
    chunk_groups_update(&arena->chunks, chunk, usage);
}

/* 2^order < pages: of no alignment. */
static struct chunk_run take_run_from_locked(struct arena *arena, enum chunk_usage usage,
                                             unsigned pages, unsigned order) REQUIRES(arena->lock)
{
    bool is_aligned = 1U << order >= pages;
    struct chunk_room wanted = {.gap = is_aligned ? 0 : (uint16_t)pages,
                                .orders = is_aligned ? (uint16_t)(order + 1) : 0};
    struct chunk_run run = {0};
    struct chunk *chunk;
    while (run.page == NULL && (chunk = chunk_groups_find(&arena->chunks, usage, wanted)) != NULL) {
        run = is_aligned ? chunk_alloc_run(chunk, pages, order) : chunk_alloc_in_gap(chunk, pages);
        arena->used_pages += run.page != NULL ? pages : 0;
        arena_settle_chunk_locked(arena, chunk); /* it may have less room than it was thought to */
    }
    return run;
}

static struct chunk_run take_run_locked(struct arena *arena, unsigned pages, unsigned order)
    REQUIRES(arena->lock)
{
    struct chunk_run run = {0};
    for (unsigned i = 0; run.page == NULL && i < sizeof(search_order); i++) {
        run = take_run_from_locked(arena, search_order[i], pages, order);
    }
    return run;
}

static bool is_dense_locked(const struct arena *arena)
{
    uint64_t chunk_pages = (uint64_t)arena->chunk_count * CHUNK_PAGES;
    return arena->chunk_count >= DENSE_MIN_CHUNKS &&
           arena->used_pages >= chunk_pages - chunk_pages / 8;
}

/* false: out of memory. */
static bool enter_chunk_locked(struct arena *arena, struct chunk *chunk) REQUIRES(arena->lock)
{
    chunk->epoch = arena->epoch;
    chunk->usage_list = USAGE_INIT;
    if (!chunk_groups_add(&arena->chunks, chunk)) {
        return false;
    }
    if (arena->lowest_base == NULL || chunk->base < arena->lowest_base) {
        arena->lowest_base = chunk->base;
    }
    arena->chunk_count++;
    list_insert_after(&arena->all_chunks, &chunk->all_link);
    return true;
}

/* Maps outside the lock. */
static bool grow(struct arena *arena)
{
    mutex_lock(&arena->lock);
    char *hint = arena->lowest_base != NULL ? arena->lowest_base - CHUNK_BYTES : NULL;
    bool wants_huge_pages = config.huge_pages && is_dense_locked(arena);
    mutex_unlock(&arena->lock);
    struct chunk *chunk = chunk_create(arena, hint);
    if (chunk == NULL) {
        return false;
    }
    chunk->has_huge_pages = wants_huge_pages && os_allow_huge_pages(chunk->base, CHUNK_BYTES);
    mutex_lock(&arena->lock);
    bool is_entered = enter_chunk_locked(arena, chunk);
    mutex_unlock(&arena->lock);
    if (!is_entered) {
        chunk_destroy(chunk);
    }
    return is_entered;
}

static void want_purge(void)
{
    atomic_store_explicit(&arena_wants_purge, true, memory_order_relaxed);
}

static void note_growth_locked(struct arena *arena) REQUIRES(arena->lock)
{
    uint64_t resident_pages = arena->used_pages + arena->dirty_pages;
    uint64_t cached_pages = budget_reserved_bytes() / PAGE_BYTES / arena_count();
    bool is_cached = cached_pages > resident_pages / MUCH_CACHED_SHARE;
    uint64_t step_pages = arena->resident_mark / (is_cached ? CACHED_GROWTH_SHARE : GROWTH_SHARE);
    if (resident_pages > arena->resident_mark + step_pages + GROWTH_SLACK_PAGES) {
        arena->resident_mark = resident_pages;
        want_purge();
    }
}

struct arena_pages arena_pages(struct arena *arena)
{
    mutex_lock(&arena->lock);
    struct arena_pages pages = {.used = arena->used_pages, .dirty = arena->dirty_pages};
    mutex_unlock(&arena->lock);
    return pages;
}

void arena_lower_mark(struct arena *arena)
{
    mutex_lock(&arena->lock);
    uint64_t resident_pages = arena->used_pages + arena->dirty_pages;
    uint64_t lowered = arena->resident_mark - arena->resident_mark / 8;
    arena->resident_mark = lowered > resident_pages ? lowered : resident_pages;
    mutex_unlock(&arena->lock);
}

/* First touch, one fault a page, is dear; a growing arena has the pages behind a new subpage made
 * resident together with it, up to 1/64 of what it uses. Decay takes back what was not needed. Of
 * slots longer than an OS page the program may never touch the rest: they are left to it. */
static unsigned pages_ahead_locked(struct arena *arena, struct chunk_run run) REQUIRES(arena->lock)
{
    bool is_long = size_class_bytes(run.page->class) > os_page_bytes();
    if (is_long || run.clean_pages != run.page->run_pages || !os_can_populate()) {
        return 0;
    }
    uint64_t wanted = arena->used_pages / 64;
    unsigned pages =
        chunk_claim_ahead(run.page, wanted < AHEAD_MAX_PAGES ? (unsigned)wanted : AHEAD_MAX_PAGES);
    arena_settle_chunk_locked(arena, run.page->chunk);
    return pages;
}

static void populate(struct page *page, unsigned ahead_pages)
{
    os_populate(page_start(page), (size_t)(page->run_pages + ahead_pages) * PAGE_BYTES);
}

struct chunk_run arena_alloc_run(struct arena *arena, unsigned class, unsigned order)
{
    unsigned pages = size_classes[class].run_pages;
    bool is_anywhere = order == 0 && !size_class_is_small(class);
    unsigned wanted_order = is_anywhere ? 0 : (unsigned)larger(order, log2_ceil(pages));
    unsigned ahead_pages = 0;
    struct chunk_run run;
    do {
        mutex_lock(&arena->lock);
        run = take_run_locked(arena, pages, wanted_order);
        if (likely(run.page != NULL)) {
            page_set_class(run.page, class);
            arena->run_count[class]++;
            note_growth_locked(arena);
            ahead_pages = pages_ahead_locked(arena, run);
        }
        mutex_unlock(&arena->lock);
    } while (unlikely(run.page == NULL) && grow(arena));
    if (ahead_pages != 0) {
        populate(run.page, ahead_pages);
    }
    return run;
}

static void free_run(struct page *page, bool is_purged)
{
    struct chunk *chunk = page->chunk;
    struct arena *arena = chunk->arena;
    mutex_lock(&arena->lock);
    if (likely(chunk->epoch == arena->epoch)) {
        arena->used_pages -= page->run_pages;
        arena->run_count[page->class]--;
        if (is_purged) {
            arena->purged_bytes += page->run_pages * (size_t)PAGE_BYTES;
            arena->purge_calls++;
        }
        tick_wake();
        chunk_free_run(page, is_purged);
        arena_settle_chunk_locked(arena, chunk);
        if (arena->dirty_pages > arena->used_pages && arena->dirty_pages > GARBAGE_PAGES) {
            want_purge();
        }
    }
    mutex_unlock(&arena->lock);
}

void arena_free_run(struct page *page)
{
    free_run(page, false);
}

struct arena_block arena_alloc_normal(struct arena *arena, unsigned class, unsigned order)
{
    struct chunk_run run = arena_alloc_run(arena, class, order);
    if (run.page == NULL) {
        return (struct arena_block){0};
    }
    page_set_state(run.page, PAGE_RUN);
    char *start = page_start(run.page);
    page_map_set_class(start, 1, class);
    return (struct arena_block){start, run.clean_pages == run.page->run_pages};
}

struct arena_block arena_alloc_normal_anywhere(struct arena *own, unsigned class, unsigned order)
{
    struct arena_block block = arena_alloc_normal(own, class, order);
    for (unsigned i = 0; unlikely(block.start == NULL) && i < arena_count(); i++) {
        block = arena_alloc_normal(arena_at(i), class, order);
    }
    return block;
}

struct page *arena_normal_page(const void *start)
{
    struct chunk *chunk = page_map_chunk(start);
    struct page *page = chunk == NULL ? NULL : chunk_page(chunk, start);
    if (page == NULL || page->state != PAGE_RUN) {
        panic_at(FATAL_DOUBLE_FREE, start, 0, "a run of pages");
    }
    if (page_start(page) != start) {
        panic_at(FATAL_INTERIOR, start, size_class_bytes(page->class), "-byte run");
    }
    return page;
}

void arena_free_normal(struct page *page)
{
    page_map_set_class(page_start(page), 1, CLASS_NONE);
    size_t bytes = page->run_pages * (size_t)PAGE_BYTES;
    free_run(page, !config.huge_pages && sparse_purge(page_start(page), bytes));
}

bool arena_resize_normal(struct page *page, unsigned new_class)
{
    struct chunk *chunk = page->chunk;
    struct arena *arena = chunk->arena;
    unsigned old_pages = page->run_pages;
    unsigned new_pages = size_classes[new_class].run_pages;
    mutex_lock(&arena->lock);
    bool done = chunk->epoch == arena->epoch;
    if (done && new_pages > old_pages) {
        done = chunk_extend_run(page, new_pages);
    } else if (done) {
        chunk_shrink_run(page, new_pages);
    }
    if (done) {
        arena->used_pages += new_pages;
        arena->used_pages -= old_pages;
        arena->run_count[page->class]--;
        arena->run_count[new_class]++;
        page_set_class(page, new_class);
        page_map_set_class(page_start(page), 1, new_class);
        arena_settle_chunk_locked(arena, chunk);
    }
    mutex_unlock(&arena->lock);
    return done;
}

static bool chunks_are_valid_locked(struct arena *arena) REQUIRES(arena->lock)
{
    uint64_t used_pages = 0;
    uint64_t dirty_pages = 0;
    struct list *head = &arena->all_chunks;
    for (struct list *node = head->next; node != head; node = node->next) {
        struct chunk *chunk = list_entry(node, struct chunk, all_link);
        unsigned percent = chunk->used_pages * 100U / CHUNK_PAGES;
        used_pages += chunk->used_pages;
        dirty_pages += chunk->dirty_pages;
        if (chunk->arena != arena || percent >= usage_bounds[chunk->usage_list].max ||
            !chunk_is_valid(chunk)) {
            return false;
        }
    }
    return used_pages == arena->used_pages && dirty_pages == arena->dirty_pages &&
           chunk_groups_are_valid(&arena->chunks);
}

bool arena_is_valid(struct arena *arena)
{
    mutex_lock(&arena->lock);
    bool is_valid = chunks_are_valid_locked(arena);
    mutex_unlock(&arena->lock);
    return is_valid;
}
