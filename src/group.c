/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group.h"

#include "compiler.h"
#include "huge.h"
#include "misuse.h"
#include "page_map.h"
#include "panic.h"
#include "poolmalloc.h"

#include <errno.h>
#include <assert.h>
#include <string.h>

/* Patterns that neither a freed head nor chance is likely to hold. A live one is first_live plus
 * the resets of its arena: what they dropped is not live. */
static const uint16_t first_live = 0xa11c;
static const uint16_t state_free = 0xf4ee;

struct head {
    union {
        struct pm_arena *arena; /* while live */
        struct head *next_free;
    };
    uint32_t request_bytes; /* of blocks in slabs */
    uint16_t class;         /* 0: large */
    uint16_t state;
};

struct large {
    struct large *next;
    struct large *previous;
    size_t request_bytes;
    size_t unused; /* keeps the block aligned to 16 */
    struct head head;
};

struct slab {
    struct slab *next;
    size_t unused; /* as above */
};

struct pm_arena {
    struct slab *slabs; /* the first is being cut */
    char *cut;          /* where the next block starts */
    char *slab_end;
    struct large *large;
    pm_arena_stats stats;
    uint16_t state_live; /* of the blocks since the last reset */
    bool is_destroyed;
    struct head *free[GROUP_CLASSES];
};

static_assert(sizeof(struct head) == 16 && sizeof(struct large) % 16 == 0 &&
                  sizeof(struct slab) % 16 == 0,
              "blocks are aligned to 16");

/* A destroyed arena has no slab, block or free list: every use comes to a slow path that asks. */
static void check_life(const struct pm_arena *arena)
{
    if (unlikely(arena->is_destroyed)) {
        panic_at(FATAL_ARENA_DESTROYED, arena, 0, NULL);
    }
}

static void count_alloc(struct pm_arena *arena, size_t bytes)
{
    pm_arena_stats *stats = &arena->stats;
    stats->allocs++;
    stats->live_blocks++;
    stats->live_bytes += bytes;
    if (stats->live_bytes > stats->peak_bytes) {
        stats->peak_bytes = stats->live_bytes;
    }
}

static void count_free(struct pm_arena *arena, size_t bytes)
{
    arena->stats.live_blocks--;
    arena->stats.live_bytes -= bytes;
}

/* ---- Large blocks --------------------------------------------------------------------------- */

static void *alloc_large(struct pm_arena *arena, size_t bytes)
{
    size_t total;
    check_life(arena);
    if (__builtin_add_overflow(bytes, sizeof(struct large), &total)) {
        errno = ENOMEM;
        return NULL;
    }
    struct large *large = pm_malloc(total);
    if (large == NULL) {
        return NULL;
    }
    *large = (struct large){.next = arena->large,
                            .request_bytes = bytes,
                            .head = {.arena = arena, .state = arena->state_live}};
    if (large->next != NULL) {
        large->next->previous = large;
    }
    arena->large = large;
    arena->stats.held_bytes += total;
    count_alloc(arena, bytes);
    return large + 1;
}

static void free_large(struct pm_arena *arena, struct head *head)
{
    struct large *large = (struct large *)(head + 1) - 1;
    if (large->next != NULL) {
        large->next->previous = large->previous;
    }
    if (large->previous != NULL) {
        large->previous->next = large->next;
    } else {
        arena->large = large->next;
    }
    head->state = state_free;
    arena->stats.held_bytes -= large->request_bytes + sizeof(*large);
    count_free(arena, large->request_bytes);
    pm_free(large);
}

/* ---- Blocks in slabs ------------------------------------------------------------------------ */

COLD NOINLINE static bool add_slab(struct pm_arena *arena)
{
    check_life(arena);
    struct slab *slab = pm_malloc(GROUP_SLAB_BYTES);
    if (slab == NULL) {
        return false;
    }
    slab->next = arena->slabs;
    arena->slabs = slab;
    arena->cut = (char *)(slab + 1);
    arena->slab_end = (char *)slab + GROUP_SLAB_BYTES;
    arena->stats.held_bytes += GROUP_SLAB_BYTES;
    return true;
}

static struct head *cut_block(struct pm_arena *arena, size_t class_bytes)
{
    size_t needed = sizeof(struct head) + class_bytes;
    if ((size_t)(arena->slab_end - arena->cut) < needed && !add_slab(arena)) {
        return NULL;
    }
    struct head *head = (struct head *)arena->cut;
    arena->cut += needed;
    return head;
}

PUBLIC void *pm_arena_malloc(pm_arena *arena, size_t bytes)
{
    if (bytes > GROUP_SLAB_MAX_BYTES) {
        return alloc_large(arena, bytes);
    }
    unsigned class = size_class_of_small(bytes);
    struct head *head = arena->free[class];
    if (head != NULL) {
        arena->free[class] = head->next_free;
    } else {
        head = cut_block(arena, size_class_bytes(class));
        if (head == NULL) {
            return NULL;
        }
    }
    *head = (struct head){.arena = arena,
                          .request_bytes = (uint32_t)bytes,
                          .class = (uint16_t) class,
                          .state = arena->state_live};
    count_alloc(arena, bytes);
    return head + 1;
}

/* The head of a live block, or NULL: whatever the program gives, a head is only read where the
 * allocator has memory. */
static struct head *live_head(const struct pm_arena *arena, void *block)
{
    uintptr_t address = (uintptr_t)block - sizeof(struct head);
    struct head *head = (void *)address;
    bool is_readable =
        address % sizeof(*head) == 0 && (page_map_chunk(head) != NULL || huge_of(head) != NULL);
    return is_readable && head->state == arena->state_live && head->arena == arena ? head : NULL;
}

PUBLIC void pm_arena_free(pm_arena *arena, void *block)
{
    if (block == NULL) {
        return;
    }
    struct head *head = live_head(arena, block);
    if (unlikely(head == NULL)) {
        check_life(arena);
        misuse(MISUSE_ARENA_BLOCK, block);
        return;
    }
    if (head->class == 0) {
        free_large(arena, head);
        return;
    }
    count_free(arena, head->request_bytes);
    head->state = state_free;
    head->next_free = arena->free[head->class];
    arena->free[head->class] = head;
}

/* ---- Life ----------------------------------------------------------------------------------- */

PUBLIC pm_arena *pm_arena_create(void)
{
    struct pm_arena *arena = pm_calloc(1, sizeof(*arena));
    if (arena != NULL) {
        arena->state_live = first_live;
    }
    return arena;
}

/* Frees all slabs after `slab`. */
static void free_slabs_after(struct slab *slab)
{
    struct slab *next = slab->next;
    slab->next = NULL;
    while (next != NULL) {
        struct slab *each = next;
        next = each->next;
        pm_free(each);
    }
}

static void free_all_large(struct pm_arena *arena)
{
    while (arena->large != NULL) {
        free_large(arena, &arena->large->head);
    }
}

PUBLIC void pm_arena_reset(pm_arena *arena)
{
    check_life(arena);
    free_all_large(arena);
    memset(arena->free, 0, sizeof(arena->free));
    if (arena->slabs != NULL) {
        free_slabs_after(arena->slabs);
        arena->cut = (char *)(arena->slabs + 1);
        arena->stats.held_bytes = GROUP_SLAB_BYTES;
    }
    arena->state_live++;
    arena->stats.live_blocks = 0;
    arena->stats.live_bytes = 0;
    arena->stats.peak_bytes = 0;
}

PUBLIC void pm_arena_destroy(pm_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    pm_arena_reset(arena);
    pm_free(arena->slabs);
    memset(arena, 0, sizeof(*arena));
    arena->is_destroyed = true;
    free_destroyed(arena);
}

PUBLIC pm_arena_stats pm_arena_get_stats(const pm_arena *arena)
{
    check_life(arena);
    return arena->stats;
}
