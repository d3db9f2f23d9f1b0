/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "huge.h"

#include "bits.h"
#include "os.h"
#include "page_map.h"
#include "sparse.h"
#include "tick.h"

#include <stdint.h>
#include <string.h>

enum {
    IDLE_MAX_COUNT = 64,
    IDLE_MAX_BYTES = 64 << 20,
    IDLE_SHARE = 8,
};

struct huge_blocks huge_blocks = {
    .all = {&huge_blocks.all, &huge_blocks.all},
    .kept = {&huge_blocks.kept, &huge_blocks.kept},
};

/* Every change of what a slot of the page map holds is one store: a child forked in between finds
 * it whole. */
static void enter_slot_locked(struct huge *huge) REQUIRES(huge_blocks.lock)
{
    huge->next_in_slot = page_map_huge(huge->start);
    page_map_set_huge(huge->start, huge);
    page_map_set_class(huge->start, 1, CLASS_HUGE);
}

static void leave_slot_locked(struct huge *huge) REQUIRES(huge_blocks.lock)
{
    struct huge *other = page_map_huge(huge->start);
    page_map_set_class(huge->start, 1, CLASS_NONE);
    if (other == huge) {
        page_map_set_huge(huge->start, huge->next_in_slot);
        return;
    }
    while (other->next_in_slot != huge) {
        other = other->next_in_slot;
    }
    other->next_in_slot = huge->next_in_slot;
}

static void publish(struct huge *huge)
{
    mutex_lock(&huge_blocks.lock);
    enter_slot_locked(huge);
    huge->epoch = huge_blocks.epoch;
    list_insert_after(&huge_blocks.all, &huge->link);
    huge_blocks.bytes += huge->bytes;
    huge_blocks.tail_bytes += huge_tail_bytes(huge);
    huge_blocks.count++;
    mutex_unlock(&huge_blocks.lock);
}

static void withdraw(struct huge *huge)
{
    mutex_lock(&huge_blocks.lock);
    leave_slot_locked(huge);
    if (huge->epoch == huge_blocks.epoch) {
        list_remove(&huge->link);
        huge_blocks.bytes -= huge->bytes;
        huge_blocks.tail_bytes -= huge_tail_bytes(huge);
        huge_blocks.count--;
    }
    mutex_unlock(&huge_blocks.lock);
}

static void forget_kept_locked(struct huge *huge) REQUIRES(huge_blocks.lock)
{
    list_remove(&huge->link);
    huge_blocks.kept_bytes -= huge->touched_bytes;
    huge_blocks.kept_count--;
}

/* Mappings that never held a block that grew are not for one that does: it would leave them to
 * their likes again at many times its size. Nor are the longest for short blocks, which would cut
 * them. */
static bool may_take(const struct huge *kept, size_t bytes, bool is_growing)
{
    bool is_longest = kept->mapped_bytes > 2 * (size_t)NORMAL_MAX_BYTES;
    return is_growing ? kept->has_grown : !is_longest || bytes > NORMAL_MAX_BYTES;
}

/* Of which the fewest pages would be faulted in or lie beside the block: the smallest that was
 * touched far enough, else the one touched farthest. */
static struct huge *best_kept_locked(size_t bytes, bool is_growing) REQUIRES(huge_blocks.lock)
{
    struct huge *best = NULL;
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; node != head; node = node->next) {
        struct huge *kept = list_entry(node, struct huge, link);
        size_t touched = kept->touched_bytes;
        bool is_better = best == NULL || (best->touched_bytes < bytes
                                              ? touched > best->touched_bytes
                                              : touched >= bytes && touched < best->touched_bytes);
        if (is_better && may_take(kept, bytes, is_growing)) {
            best = kept;
        }
    }
    return best;
}

static struct huge *take_kept(size_t bytes, bool is_growing)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *kept = best_kept_locked(bytes, is_growing);
    if (kept != NULL) {
        forget_kept_locked(kept);
    }
    mutex_unlock(&huge_blocks.lock);
    return kept;
}

static size_t most_idle_bytes_locked(void) REQUIRES(huge_blocks.lock)
{
    return larger(huge_blocks.bytes / IDLE_SHARE, IDLE_MAX_BYTES);
}

/* How long a kept mapping is to be for a block that does not grow. It may be an eighth longer than
 * the block or a chunk, unless tails would leave no room for kept mappings: what is freed would be
 * unmapped at once. */
static size_t length_to_reuse(const struct huge *huge, size_t bytes)
{
    size_t wanted = huge_mapped_bytes(bytes, false);
    size_t most_mapped = larger(wanted, NORMAL_MAX_BYTES);
    size_t tail_bytes = huge->touched_bytes - smaller(huge->touched_bytes, bytes);
    mutex_lock(&huge_blocks.lock);
    size_t most_bytes = most_idle_bytes_locked() / 4 * 3;
    bool has_room = huge_blocks.tail_bytes + tail_bytes <= most_bytes;
    mutex_unlock(&huge_blocks.lock);
    if (!has_room) {
        return wanted;
    }
    bool is_too_long = huge->mapped_bytes > most_mapped + most_mapped / IDLE_SHARE;
    return is_too_long ? most_mapped : larger(huge->mapped_bytes, wanted);
}

/* A kept mapping with room for the block; one that grows takes it whole. NULL: there is none. */
static struct huge *reuse_kept(size_t bytes, bool is_growing)
{
    struct huge *huge = take_kept(bytes, is_growing);
    if (huge == NULL) {
        return NULL;
    }
    size_t mapped_bytes = is_growing ? larger(huge->mapped_bytes, huge_mapped_bytes(bytes, false))
                                     : length_to_reuse(huge, bytes);
    if (!huge_remap(huge, mapped_bytes)) {
        huge_unmap(huge);
        return NULL;
    }
    huge->dirty_bytes = smaller(huge->touched_bytes, bytes);
    huge_set_bytes(huge, bytes);
    huge->has_grown = is_growing;
    publish(huge);
    tick_wake();
    return huge;
}

/* Set when a new mapping was resident at once, as under mlockall: then none is longer than its
 * block. Relaxed: learnt from the first one. */
static _Atomic bool is_locked;

/* May a mapping have addresses that its block does not use yet? */
static bool may_be_longer(void)
{
    return !atomic_load_explicit(&is_locked, memory_order_relaxed) && !os_addresses_are_dear();
}

static struct huge *map_fresh(size_t bytes, size_t alignment, bool is_growing)
{
    size_t mapped_bytes = huge_mapped_bytes(bytes, is_growing && may_be_longer());
    struct huge *huge = huge_map(bytes, mapped_bytes, alignment);
    if (huge != NULL && mapped_bytes > bytes + PAGE_BYTES && huge_is_populated(huge)) {
        atomic_store_explicit(&is_locked, true, memory_order_relaxed);
        huge_remap(huge, huge_mapped_bytes(bytes, false));
    }
    return huge;
}

static void *alloc(size_t bytes, size_t alignment, bool is_growing)
{
    bytes = align_up(bytes, os_page_bytes());
    bool is_paged = alignment <= larger(os_page_bytes(), PAGE_BYTES); /* as every mapping is */
    struct huge *huge = is_paged ? reuse_kept(bytes, is_growing) : NULL;
    if (huge != NULL) {
        return huge->start;
    }
    huge = map_fresh(bytes, alignment, is_growing);
    if (huge == NULL) {
        return NULL;
    }
    huge->has_grown = is_growing;
    publish(huge);
    return huge->start;
}

void *huge_alloc(size_t bytes, size_t alignment)
{
    return alloc(bytes, alignment, false);
}

void *huge_alloc_to_grow(size_t bytes)
{
    return alloc(bytes, 1, true);
}

struct huge *huge_of(const void *start)
{
    if (page_map_class(start) != CLASS_HUGE) {
        return NULL;
    }
    mutex_lock(&huge_blocks.lock);
    struct huge *huge = page_map_huge(start);
    while (huge != NULL && huge->start != start) {
        huge = huge->next_in_slot;
    }
    mutex_unlock(&huge_blocks.lock);
    return huge;
}

bool huge_is_kept(const void *start)
{
    bool is_kept = false;
    mutex_lock(&huge_blocks.lock);
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; node != head; node = node->next) {
        is_kept |= list_entry(node, struct huge, link)->start == start;
    }
    mutex_unlock(&huge_blocks.lock);
    return is_kept;
}

void huge_zero(struct huge *huge)
{
    if (huge->dirty_bytes <= NORMAL_MAX_BYTES || !os_purge(huge->start, huge->dirty_bytes)) {
        memset(huge->start, 0, huge->dirty_bytes);
    }
}

/* The oldest kept mapping if too much is idle, taken out. */
static struct huge *take_surplus_locked(void) REQUIRES(huge_blocks.lock)
{
    size_t idle_bytes = huge_blocks.kept_bytes + huge_blocks.tail_bytes;
    if (huge_blocks.kept_count == 0 ||
        (idle_bytes <= most_idle_bytes_locked() && huge_blocks.kept_count <= IDLE_MAX_COUNT)) {
        return NULL;
    }
    struct huge *oldest = list_entry(huge_blocks.kept.prev, struct huge, link);
    forget_kept_locked(oldest);
    return oldest;
}

void huge_free(struct huge *huge)
{
    withdraw(huge);
    if (sparse_purge(huge->start, huge->bytes) && huge_tail_bytes(huge) == 0) {
        huge->touched_bytes = 0;
    }
    tick_wake();
    huge->tick = tick_count();
    mutex_lock(&huge_blocks.lock);
    list_insert_after(&huge_blocks.kept, &huge->link);
    huge_blocks.kept_bytes += huge->touched_bytes;
    huge_blocks.kept_count++;
    struct huge *surplus = take_surplus_locked();
    mutex_unlock(&huge_blocks.lock);
    while (surplus != NULL) {
        huge_unmap(surplus);
        mutex_lock(&huge_blocks.lock);
        surplus = take_surplus_locked();
        mutex_unlock(&huge_blocks.lock);
    }
}

/* A kept mapping that has lain for so long, and of which no more may be resident, taken out. */
static struct huge *take_old(uint32_t ticks, size_t most_bytes)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *old = NULL;
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; old == NULL && node != head; node = node->next) {
        struct huge *kept = list_entry(node, struct huge, link);
        if (tick_count() - kept->tick >= ticks && kept->touched_bytes <= most_bytes) {
            old = kept;
            forget_kept_locked(kept);
        }
    }
    mutex_unlock(&huge_blocks.lock);
    return old;
}

static size_t unmap_old(uint32_t ticks, size_t most_bytes)
{
    size_t bytes = 0;
    struct huge *huge;
    while ((huge = take_old(ticks, most_bytes)) != NULL) {
        bytes += huge->touched_bytes;
        huge_unmap(huge);
    }
    return bytes;
}

struct huge_totals huge_totals(void)
{
    mutex_lock(&huge_blocks.lock);
    struct huge_totals totals = {huge_blocks.bytes,
                                 huge_blocks.kept_bytes + huge_blocks.tail_bytes};
    mutex_unlock(&huge_blocks.lock);
    return totals;
}

/* Returns the bytes. The kernel may refuse: then they stay. */
static size_t purge_tail(struct huge *huge)
{
    size_t bytes = huge_tail_bytes(huge);
    if (bytes == 0 || !os_purge((char *)huge->start + huge->bytes, bytes)) {
        return 0;
    }
    huge->touched_bytes = huge->bytes;
    return bytes;
}

/* With the lock held, as an owner takes his block out of the list to change it. */
static size_t purge_old_tails_locked(uint32_t ticks) REQUIRES(huge_blocks.lock)
{
    size_t bytes = 0;
    struct list *head = &huge_blocks.all;
    for (struct list *node = head->next; huge_blocks.tail_bytes > bytes && node != head;
         node = node->next) {
        struct huge *huge = list_entry(node, struct huge, link);
        bytes += tick_count() - huge->tick >= ticks ? purge_tail(huge) : 0;
    }
    huge_blocks.tail_bytes -= bytes;
    return bytes;
}

size_t huge_decay(uint32_t ticks)
{
    mutex_lock(&huge_blocks.lock);
    size_t bytes = purge_old_tails_locked(ticks);
    mutex_unlock(&huge_blocks.lock);
    return bytes + unmap_old(ticks, SIZE_MAX);
}

void huge_make_way(void)
{
    unmap_old(1, NORMAL_MAX_BYTES);
}

/* Withdrawn while it changes: its old addresses may be somebody else's at once. Shrinking succeeds,
 * if not by a shorter mapping then within it. */
void *huge_resize(struct huge *huge, size_t new_bytes)
{
    new_bytes = align_up(new_bytes, os_page_bytes());
    bool is_shrinking = new_bytes < huge->bytes;
    bool has_room = !is_shrinking && new_bytes <= huge->mapped_bytes;
    withdraw(huge);
    bool is_done = has_room;
    if (!has_room) { /* it costs system calls to know whether it may be longer */
        size_t wanted = huge_mapped_bytes(new_bytes, !is_shrinking && may_be_longer());
        is_done = huge_remap(huge, wanted) || is_shrinking;
    }
    if (is_done) {
        huge_set_bytes(huge, new_bytes);
        huge->has_grown |= !is_shrinking;
    }
    if (is_shrinking) {
        purge_tail(huge);
    }
    publish(huge);
    return is_done ? huge->start : NULL;
}

void huge_abandon_lock(void)
{
    huge_abandon_descriptors();
    if (mutex_abandon(&huge_blocks.lock)) {
        huge_blocks.epoch++;
        list_init(&huge_blocks.all);
        list_init(&huge_blocks.kept);
        huge_blocks.kept_bytes = 0;
        huge_blocks.kept_count = 0;
        huge_blocks.bytes = 0;
        huge_blocks.tail_bytes = 0;
        huge_blocks.count = 0;
    }
}
