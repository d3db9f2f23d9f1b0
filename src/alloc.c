/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public allocating functions. The hot path comes first: pm_malloc and pm_free of a small
 * block touch the thread cache, one table and the page map, and nothing else; everything below is
 * what they do not do. */
#include "poolmalloc.h"

#include "bin.h"
#include "config.h"
#include "huge.h"
#include "limit.h"
#include "page_map.h"
#include "panic.h"
#include "tcache.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static void *alloc_slow(size_t bytes);
static void free_slow(void *block);

/* A cached slot of at least that many bytes, at most SMALL_MAX_BYTES. NULL: none is cached. */
static ALWAYS_INLINE void *pop_cached(size_t bytes)
{
    unsigned class = size_class_of_small(bytes);
    struct tcache *tcache = tcache_current();
    void **top = tcache->tops[class];
    void *slot = top[-1];
    if (likely(slot != NULL)) {
        tcache->fast_allocs[class]++;
        tcache->tops[class] = top - 1;
    }
    return slot;
}

HOT PUBLIC void *pm_malloc(size_t bytes)
{
    if (likely(bytes <= SMALL_MAX_BYTES)) {
        void *slot = pop_cached(bytes);
        if (likely(slot != NULL)) {
            return slot;
        }
    }
    return alloc_slow(bytes);
}

HOT PUBLIC void pm_free(void *block)
{
    if (likely(page_map_is_hot(block))) {
        /* Class 0 (NULL, foreign) and huge have no bins: they are always full. */
        unsigned class = page_map_class_hot(block);
        struct tcache *tcache = tcache_current();
        void **top = tcache->tops[class];
        if (likely(top != tcache->limits[class])) {
            *top = block;
            tcache->tops[class] = top + 1;
            return;
        }
    }
    free_slow(block);
}

/* ---- Allocating, slow -------------------------------------------------------------------- */

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static struct arena_block alloc_huge(size_t bytes, unsigned order)
{
    void *start = huge_alloc(bytes, (size_t)PAGE_BYTES << order);
    if (start == NULL) {
        return (struct arena_block){0};
    }
    tcache_count_alloc(CLASS_HUGE, bytes);
    return (struct arena_block){start, huge_of(start)->dirty_bytes == 0};
}

/* A block of a normal or huge class. order: log2 of the pages it must be aligned to. */
static struct arena_block alloc_large(unsigned class, size_t bytes, unsigned order)
{
    if (!limit_allows(bytes)) {
        return (struct arena_block){0};
    }
    if (order == 0 && bytes <= config.cached_max) {
        return (struct arena_block){tcache_alloc_slow(class, bytes), false};
    }
    if (class == CLASS_HUGE || (order == 0 && bytes > HUGE_ABOVE_BYTES)) {
        struct arena_block block = alloc_huge(bytes, order);
        if (block.start != NULL || class == CLASS_HUGE) {
            return block;
        }
    }
    tcache_count_alloc(class, bytes);
    struct arena *arena = tcache_own_arena();
    if (arena == NULL) {
        return (struct arena_block){0};
    }
    return arena_alloc_normal_anywhere(arena, class, order);
}

NOINLINE static void *alloc_slow(size_t bytes)
{
    void *block;
    if (likely(bytes <= SMALL_MAX_BYTES)) {
        block = tcache_alloc_slow(size_class_of_small(bytes), bytes);
    } else {
        block = bytes > PTRDIFF_MAX ? NULL : alloc_large(size_class_of(bytes), bytes, 0).start;
    }
    return likely(block != NULL) ? block : no_memory();
}

HOT PUBLIC void *pm_calloc(size_t count, size_t bytes)
{
    size_t total_bytes;
    if (unlikely(__builtin_mul_overflow(count, bytes, &total_bytes) || total_bytes > PTRDIFF_MAX)) {
        return no_memory();
    }
    struct arena_block block = {0};
    if (likely(total_bytes <= SMALL_MAX_BYTES)) {
        block.start = pm_malloc(total_bytes);
    } else {
        block = alloc_large(size_class_of(total_bytes), total_bytes, 0);
    }
    if (unlikely(block.start == NULL)) {
        return no_memory();
    }
    if (block.is_zeroed) {
        return block.start;
    }
    if (page_map_class(block.start) == CLASS_HUGE) {
        huge_zero(huge_of(block.start));
        return block.start;
    }
    return memset(block.start, 0, total_bytes);
}

/* The common case of an aligned request: a tiny class is as long as its size rounded up to 16
 * bytes, so a multiple of the alignment is a class of its own. NULL: not the case, or none is
 * cached. */
static ALWAYS_INLINE void *pop_cached_aligned(size_t alignment, size_t bytes)
{
    size_t padded_bytes = align_up(bytes, alignment);
    bool is_tiny = bytes - 1 < TINY_MAX_BYTES && padded_bytes - 1 < TINY_MAX_BYTES;
    return likely(is_tiny) ? pop_cached(padded_bytes) : NULL;
}

/* alignment: a power of two. */
static void *alloc_aligned(size_t alignment, size_t bytes)
{
    if (bytes > PTRDIFF_MAX || alignment > PTRDIFF_MAX) {
        return NULL;
    }
    if (alignment <= SLOT_ALIGN_BYTES) {
        return pm_malloc(bytes);
    }
    if (alignment > CHUNK_BYTES) {
        size_t huge_bytes = bytes > SMALL_MAX_BYTES ? bytes : SMALL_MAX_BYTES + 1;
        return alloc_large(CLASS_HUGE, huge_bytes, log2_floor(alignment) - PAGE_LOG2).start;
    }
    unsigned class = size_class_of_aligned(bytes, alignment);
    if (size_class_is_small(class)) {
        return pm_malloc(size_class_bytes(class));
    }
    unsigned order = alignment <= PAGE_BYTES ? 0 : log2_floor(alignment) - PAGE_LOG2;
    return alloc_large(class, bytes, order).start;
}

PUBLIC void *pm_aligned_alloc(size_t alignment, size_t bytes)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    void *block = pop_cached_aligned(alignment, bytes);
    if (unlikely(block == NULL)) {
        block = alloc_aligned(alignment, bytes);
    }
    return likely(block != NULL) ? block : no_memory();
}

PUBLIC int pm_posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0) {
        return EINVAL;
    }
    void *aligned = pop_cached_aligned(alignment, bytes);
    if (unlikely(aligned == NULL)) {
        int saved_errno = errno;
        aligned = alloc_aligned(alignment, bytes);
        errno = saved_errno;
    }
    if (unlikely(aligned == NULL)) {
        return ENOMEM;
    }
    *block = aligned;
    return 0;
}

/* ---- Freeing, slow ----------------------------------------------------------------------- */

/* The three ways in which a pointer is no block, in the words of the call that got it. */
struct wording {
    const char *foreign;
    const char *freed;
    const char *interior;
};

static const struct wording words_of_free = {FATAL_FOREIGN, FATAL_DOUBLE_FREE, FATAL_INTERIOR};
static const struct wording words_of_realloc = {FATAL_FOREIGN_REALLOC, FATAL_FREED_REALLOC,
                                                FATAL_INTERIOR_REALLOC};
static const struct wording words_of_usable_size = {FATAL_FOREIGN_USABLE, FATAL_FREED_USABLE,
                                                    FATAL_INTERIOR_USABLE};

/* A pointer that is no block: aborts, or says so once and goes on when the options ask for it. */
COLD NOINLINE static void misuse(const struct wording *words, const void *address)
{
    struct chunk *chunk = page_map_chunk(address);
    if (chunk != NULL) {
        bool is_used = bitmap_test(chunk->in_use, page_index(chunk, chunk_page(chunk, address)));
        panic_at(is_used ? words->interior : words->freed, address, 0, NULL);
    }
    if (config.foreign == FOREIGN_ABORT) {
        panic_at(huge_is_kept(address) ? words->freed : words->foreign, address, 0, NULL);
    }
    static _Atomic bool is_said;
    if (!atomic_exchange(&is_said, true)) {
        warn_at(words->foreign, address);
    }
}

/* Bits tell the live slots from the freed while nothing is cached, that is with check:true. */
COLD NOINLINE static void check_small(const void *block, size_t slot_bytes)
{
    void *start = NULL;
    if (!bin_slot_is_taken(block, &start)) {
        panic_at(FATAL_FREED_REALLOC, block, slot_bytes, "-byte slot");
    }
    if (start != block) {
        panic_at(FATAL_INTERIOR_REALLOC, block, slot_bytes, "-byte slot");
    }
}

static void free_huge(void *block)
{
    struct huge *huge = huge_of(block);
    if (huge == NULL) {
        misuse(&words_of_free, block);
        return;
    }
    huge_free(huge);
}

NOINLINE static void free_slow(void *block)
{
    if (block == NULL) {
        return;
    }
    int saved_errno = errno;
    unsigned class = page_map_class(block);
    if (class == CLASS_HUGE) {
        free_huge(block);
        tcache_poll();
    } else if (class == CLASS_NONE) {
        misuse(&words_of_free, block);
    } else if ((uintptr_t)block % SLOT_ALIGN_BYTES != 0) {
        bin_flush(class, &block, 1); /* no block: judged there, at once */
    } else if (size_class_is_small(class) || size_class_bytes(class) <= config.cached_max) {
        tcache_free_slow(class, block);
    } else {
        arena_free_normal(arena_normal_page(block));
        tcache_poll();
    }
    errno = saved_errno;
}

/* ---- Sizes ------------------------------------------------------------------------------- */

/* 0: not a block of ours. */
static size_t usable_bytes(const void *block)
{
    unsigned class = page_map_class(block);
    if (likely(class != CLASS_HUGE)) {
        return size_class_bytes(class);
    }
    const struct huge *huge = huge_of(block);
    return huge == NULL ? 0 : huge->bytes;
}

PUBLIC size_t pm_usable_size(const void *block)
{
    size_t bytes = usable_bytes(block);
    if (unlikely(bytes == 0 && block != NULL)) {
        misuse(&words_of_usable_size, block);
    }
    return bytes;
}

/* A block keeps at least half of itself in use when it is resized, so a true size is not below. */
PUBLIC void pm_free_sized(void *block, size_t bytes)
{
    size_t usable = usable_bytes(block);
    if (unlikely(bytes > usable || (bytes < usable / 2 && usable > SLOT_ALIGN_BYTES)) &&
        usable != 0) {
        panic_at(FATAL_WRONG_SIZE, block, usable, "-byte block");
    }
    pm_free(block);
}

PUBLIC void pm_free_aligned_sized(void *block, size_t alignment, size_t bytes)
{
    size_t usable = usable_bytes(block);
    if (unlikely(usable != 0 && bytes > usable)) {
        panic_at(FATAL_WRONG_SIZE, block, usable, "-byte block");
    }
    if (unlikely(((uintptr_t)block & (alignment - 1)) != 0)) {
        panic_at(FATAL_WRONG_ALIGNMENT, block, alignment, "-byte alignment");
    }
    pm_free(block);
}

/* Resizes a large block by moving pages, or none at all. NULL: it stays as it was. */
static void *resize_pages(void *block, size_t old_bytes, size_t new_bytes)
{
    if (page_map_class(block) == CLASS_HUGE) {
        /* NULL: no memory, or a sandbox that refuses mremap; a copy may do. */
        return new_bytes > HUGE_ABOVE_BYTES ? huge_resize(huge_of(block), new_bytes) : NULL;
    }
    bool outgrows = old_bytes <= HUGE_ABOVE_BYTES && new_bytes > HUGE_ABOVE_BYTES;
    if (outgrows || new_bytes <= SMALL_MAX_BYTES || new_bytes > NORMAL_MAX_BYTES) {
        return NULL;
    }
    bool is_done = arena_resize_normal(arena_normal_page(block), size_class_of(new_bytes));
    return is_done ? block : NULL;
}

static void *alloc_to_grow(size_t bytes)
{
    if (unlikely(bytes > HUGE_ABOVE_BYTES) && limit_allows(bytes)) {
        void *block = huge_alloc_to_grow(bytes);
        if (block != NULL) {
            tcache_count_alloc(CLASS_HUGE, bytes);
            return block;
        }
    }
    return pm_malloc(size_class_room_to_grow(bytes));
}

static void *move(void *block, size_t old_bytes, size_t new_bytes)
{
    void *moved = new_bytes > old_bytes ? alloc_to_grow(new_bytes) : pm_malloc(new_bytes);
    if (unlikely(moved == NULL)) {
        return new_bytes < old_bytes ? block : NULL;
    }
    memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    pm_free(block);
    return moved;
}

/* block: live or foreign; new_bytes: not 0. */
static void *resize(void *block, size_t new_bytes)
{
    size_t old_bytes = usable_bytes(block);
    if (unlikely(old_bytes == 0)) {
        misuse(&words_of_realloc, block);
        return NULL;
    }
    if (unlikely(config.check) && old_bytes <= SMALL_MAX_BYTES) {
        check_small(block, old_bytes);
    }
    if (unlikely(new_bytes > PTRDIFF_MAX)) {
        return no_memory();
    }
    if (new_bytes > old_bytes && new_bytes > SMALL_MAX_BYTES &&
        !limit_allows(new_bytes - old_bytes)) {
        return no_memory();
    }
    if (new_bytes <= old_bytes && new_bytes >= old_bytes / 2) {
        return block; /* not so large for it that memory is wasted */
    }
    void *resized = old_bytes > SMALL_MAX_BYTES ? resize_pages(block, old_bytes, new_bytes) : NULL;
    return resized != NULL ? resized : move(block, old_bytes, new_bytes);
}

PUBLIC void *pm_realloc(void *block, size_t bytes)
{
    if (block == NULL) {
        return pm_malloc(bytes);
    }
    if (bytes == 0) {
        pm_free(block);
        return NULL;
    }
    return resize(block, bytes);
}

PUBLIC void *pm_reallocarray(void *block, size_t count, size_t bytes)
{
    size_t total_bytes;
    if (__builtin_mul_overflow(count, bytes, &total_bytes)) {
        return no_memory();
    }
    return pm_realloc(block, total_bytes);
}
