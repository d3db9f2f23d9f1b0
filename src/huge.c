/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "huge.h"

#include "bits.h"
#include "meta.h"
#include "os.h"
#include "page_map.h"
#include "size_class.h"
#include "sparse.h"
#include "tick.h"

#include <stdint.h>

enum {
    KEPT_MAX_COUNT = 8,
    KEPT_MAX_BYTES = 64 << 20,
    KEPT_SHARE = 8,
    LEAST_EXCESS_BYTES = 64 << 10, /* an OS page, whatever its size */
};

struct huge_blocks huge_blocks = {
    .all = {&huge_blocks.all, &huge_blocks.all},
    .kept = {&huge_blocks.kept, &huge_blocks.kept},
};

static struct huge *descriptor_create(void)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *huge = huge_blocks.unused;
    if (huge != NULL) {
        huge_blocks.unused = (struct huge *)huge->link.next;
    }
    mutex_unlock(&huge_blocks.lock);
    return huge != NULL ? huge : meta_alloc(sizeof(*huge), sizeof(void *));
}

static void descriptor_destroy(struct huge *huge)
{
    huge->start = NULL;
    mutex_lock(&huge_blocks.lock);
    huge->link.next = (struct list *)huge_blocks.unused;
    huge_blocks.unused = huge;
    mutex_unlock(&huge_blocks.lock);
}

static size_t tail_bytes(const struct huge *huge)
{
    return huge->touched_bytes - huge->bytes;
}

static void publish(struct huge *huge)
{
    page_map_set_huge(huge->start, huge);
    page_map_set_class(huge->start, 1, CLASS_HUGE);
    mutex_lock(&huge_blocks.lock);
    huge->epoch = huge_blocks.epoch;
    list_insert_after(&huge_blocks.all, &huge->link);
    huge_blocks.bytes += huge->bytes;
    huge_blocks.tail_bytes += tail_bytes(huge);
    huge_blocks.count++;
    mutex_unlock(&huge_blocks.lock);
}

static void withdraw(struct huge *huge)
{
    page_map_set_class(huge->start, 1, CLASS_NONE);
    page_map_set_huge(huge->start, NULL);
    mutex_lock(&huge_blocks.lock);
    if (huge->epoch == huge_blocks.epoch) {
        list_remove(&huge->link);
        huge_blocks.bytes -= huge->bytes;
        huge_blocks.tail_bytes -= tail_bytes(huge);
        huge_blocks.count--;
    }
    mutex_unlock(&huge_blocks.lock);
}

/* A mapping is longer than a chunk, so that no two begin in the same slot of the page map. */
static size_t mapping_for(size_t bytes)
{
    size_t least = NORMAL_MAX_BYTES + LEAST_EXCESS_BYTES;
    return bytes < least ? least : bytes;
}

/* Addresses that the page map knows. */
static void *map_covered(size_t mapped_bytes, size_t alignment)
{
    void *start = os_map(mapped_bytes, alignment, NULL, "poolmalloc huge");
    if (start != NULL && !page_map_cover(start, 1)) {
        os_unmap(start, mapped_bytes);
        return NULL;
    }
    return start;
}

/* Gives a mapping that the page map does not know just now another length, where it is or
 * elsewhere. false: it stays as it was. */
static bool remap(struct huge *huge, size_t mapped_bytes)
{
    void *start = huge->start;
    if (huge->mapped_bytes == mapped_bytes) {
        return true;
    }
    if (!os_remap(start, huge->mapped_bytes, mapped_bytes, NULL)) {
        start = map_covered(mapped_bytes, os_page_bytes());
        if (start == NULL) {
            return false;
        }
        if (!os_remap(huge->start, huge->mapped_bytes, mapped_bytes, start)) {
            os_unmap(start, mapped_bytes);
            return false;
        }
    }
    huge->start = start;
    huge->mapped_bytes = mapped_bytes;
    if (huge->touched_bytes > mapped_bytes) {
        huge->touched_bytes = mapped_bytes;
    }
    return true;
}

/* Within the mapping. */
static void set_bytes(struct huge *huge, size_t bytes)
{
    huge->bytes = bytes;
    huge->tick = tick_count();
    if (huge->touched_bytes < bytes) {
        huge->touched_bytes = bytes;
    }
}

static bool is_short(const struct huge *kept)
{
    return kept->touched_bytes <= NORMAL_MAX_BYTES;
}

static void forget_kept_locked(struct huge *huge) REQUIRES(huge_blocks.lock)
{
    list_remove(&huge->link);
    huge_blocks.kept_bytes -= huge->touched_bytes;
    huge_blocks.kept_count--;
}

/* The smallest that is large enough, else the largest. */
static struct huge *best_kept_locked(size_t mapped_bytes) REQUIRES(huge_blocks.lock)
{
    struct huge *best = NULL;
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; node != head; node = node->next) {
        struct huge *kept = list_entry(node, struct huge, link);
        size_t has_bytes = kept->mapped_bytes;
        bool is_better =
            best == NULL || (best->mapped_bytes < mapped_bytes
                                 ? has_bytes > best->mapped_bytes
                                 : has_bytes >= mapped_bytes && has_bytes < best->mapped_bytes);
        if (is_better) {
            best = kept;
        }
    }
    return best;
}

static struct huge *take_kept(size_t mapped_bytes)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *kept = best_kept_locked(mapped_bytes);
    if (kept != NULL) {
        forget_kept_locked(kept);
    }
    mutex_unlock(&huge_blocks.lock);
    return kept;
}

static void unmap(struct huge *huge)
{
    os_unmap(huge->start, huge->mapped_bytes);
    descriptor_destroy(huge);
}

/* A kept mapping with room for the block. NULL: there is none. */
static struct huge *reuse_kept(size_t bytes, bool is_growing)
{
    size_t wanted = mapping_for(bytes);
    struct huge *huge = take_kept(wanted);
    if (huge == NULL) {
        return NULL;
    }
    bool is_too_long = !is_growing && huge->mapped_bytes > wanted + wanted / KEPT_SHARE;
    if ((huge->mapped_bytes < wanted || is_too_long) && !remap(huge, wanted)) {
        unmap(huge);
        return NULL;
    }
    set_bytes(huge, bytes);
    huge->is_zeroed = false;
    publish(huge);
    return huge;
}

static void *alloc_fresh(size_t bytes, size_t alignment)
{
    struct huge *huge = descriptor_create();
    if (huge == NULL) {
        return NULL;
    }
    huge->mapped_bytes = mapping_for(bytes);
    huge->start = map_covered(huge->mapped_bytes, alignment);
    if (huge->start == NULL) {
        descriptor_destroy(huge);
        return NULL;
    }
    huge->touched_bytes = 0;
    set_bytes(huge, bytes);
    huge->is_zeroed = true;
    publish(huge);
    return huge->start;
}

void *huge_alloc(size_t bytes, size_t alignment)
{
    bytes = align_up(bytes, os_page_bytes());
    if (alignment <= os_page_bytes() || alignment <= PAGE_BYTES) {
        struct huge *reused = reuse_kept(bytes, false);
        if (reused != NULL && ((size_t)reused->start & (alignment - 1)) == 0) {
            return reused->start;
        }
        if (reused != NULL) {
            huge_free(reused);
        }
    }
    return alloc_fresh(bytes, alignment > os_page_bytes() ? alignment : os_page_bytes());
}

void *huge_alloc_to_grow(size_t bytes)
{
    bytes = align_up(bytes, os_page_bytes());
    struct huge *reused = reuse_kept(bytes, true);
    if (reused != NULL) {
        return reused->start;
    }
    return os_addresses_are_dear() ? NULL : alloc_fresh(bytes, os_page_bytes());
}

struct huge *huge_of(const void *start)
{
    struct huge *huge = page_map_huge(start);
    return huge != NULL && huge->start == start ? huge : NULL;
}

bool huge_zero(struct huge *huge)
{
    return os_purge(huge->start, huge->bytes);
}

/* The oldest kept mapping if there is too much of them, taken out. */
static struct huge *take_surplus_locked(void) REQUIRES(huge_blocks.lock)
{
    size_t share_bytes = huge_blocks.bytes / KEPT_SHARE;
    size_t most_bytes = share_bytes > KEPT_MAX_BYTES ? share_bytes : KEPT_MAX_BYTES;
    if (huge_blocks.kept_bytes <= most_bytes && huge_blocks.kept_count <= KEPT_MAX_COUNT) {
        return NULL;
    }
    struct huge *oldest = list_entry(huge_blocks.kept.prev, struct huge, link);
    forget_kept_locked(oldest);
    return oldest;
}

void huge_free(struct huge *huge)
{
    withdraw(huge);
    sparse_purge(huge->start, huge->bytes);
    tick_wake();
    huge->tick = tick_count();
    mutex_lock(&huge_blocks.lock);
    list_insert_after(&huge_blocks.kept, &huge->link);
    huge_blocks.kept_bytes += huge->touched_bytes;
    huge_blocks.kept_count++;
    struct huge *surplus = take_surplus_locked();
    mutex_unlock(&huge_blocks.lock);
    while (surplus != NULL) {
        unmap(surplus);
        mutex_lock(&huge_blocks.lock);
        surplus = take_surplus_locked();
        mutex_unlock(&huge_blocks.lock);
    }
}

/* A kept mapping that has lain for so long, taken out, or NULL. */
static struct huge *take_old(uint32_t ticks, bool only_short)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *old = NULL;
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; old == NULL && node != head; node = node->next) {
        struct huge *kept = list_entry(node, struct huge, link);
        if (tick_count() - kept->tick >= ticks && (is_short(kept) || !only_short)) {
            old = kept;
            forget_kept_locked(kept);
        }
    }
    mutex_unlock(&huge_blocks.lock);
    return old;
}

static size_t unmap_old(uint32_t ticks, bool only_short)
{
    size_t bytes = 0;
    struct huge *huge;
    while ((huge = take_old(ticks, only_short)) != NULL) {
        bytes += huge->touched_bytes;
        unmap(huge);
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

static size_t purge_old_tails_locked(uint32_t ticks) REQUIRES(huge_blocks.lock)
{
    size_t bytes = 0;
    struct list *head = &huge_blocks.all;
    for (struct list *node = head->next; huge_blocks.tail_bytes != 0 && node != head;
         node = node->next) {
        struct huge *huge = list_entry(node, struct huge, link);
        if (tail_bytes(huge) != 0 && tick_count() - huge->tick >= ticks) {
            os_purge((char *)huge->start + huge->bytes, tail_bytes(huge));
            bytes += tail_bytes(huge);
            huge_blocks.tail_bytes -= tail_bytes(huge);
            huge->touched_bytes = huge->bytes;
        }
    }
    return bytes;
}

size_t huge_decay(uint32_t ticks)
{
    mutex_lock(&huge_blocks.lock);
    size_t bytes = purge_old_tails_locked(ticks);
    mutex_unlock(&huge_blocks.lock);
    return bytes + unmap_old(ticks, false);
}

void huge_unmap_short(void)
{
    unmap_old(0, true);
}

/* Withdrawn while it changes: its old addresses may be somebody else's at once. */
void *huge_resize(struct huge *huge, size_t new_bytes)
{
    new_bytes = align_up(new_bytes, os_page_bytes());
    bool has_room = new_bytes >= huge->bytes && new_bytes <= huge->mapped_bytes;
    withdraw(huge);
    bool is_done = has_room || remap(huge, mapping_for(new_bytes));
    if (is_done) {
        set_bytes(huge, new_bytes);
    }
    publish(huge);
    return is_done ? huge->start : NULL;
}

void huge_abandon_lock(void)
{
    if (mutex_abandon(&huge_blocks.lock)) {
        huge_blocks.epoch++;
        list_init(&huge_blocks.all);
        list_init(&huge_blocks.kept);
        huge_blocks.kept_bytes = 0;
        huge_blocks.kept_count = 0;
        huge_blocks.unused = NULL;
        huge_blocks.bytes = 0;
        huge_blocks.tail_bytes = 0;
        huge_blocks.count = 0;
    }
}
