/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "huge.h"

#include "bits.h"
#include "meta.h"
#include "os.h"
#include "page_map.h"
#include "sparse.h"
#include "tick.h"

#include <stdint.h>

enum { KEPT_MAX_COUNT = 8, KEPT_MAX_BYTES = 64 << 20, KEPT_SHARE = 8 };

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

static void publish(struct huge *huge, void *start, size_t bytes)
{
    huge->start = start;
    huge->bytes = bytes;
    page_map_set_huge(start, huge);
    page_map_set_class(start, 1, CLASS_HUGE);
    mutex_lock(&huge_blocks.lock);
    huge->epoch = huge_blocks.epoch;
    list_insert_after(&huge_blocks.all, &huge->link);
    huge_blocks.bytes += bytes;
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
        huge_blocks.count--;
    }
    mutex_unlock(&huge_blocks.lock);
}

/* Addresses that the page map knows. bytes: whole OS pages. */
static void *map_covered(size_t bytes, size_t alignment)
{
    void *start = os_map(bytes, alignment, NULL, "poolmalloc huge");
    if (start != NULL && !page_map_cover(start, 1)) {
        os_unmap(start, bytes);
        return NULL;
    }
    return start;
}

/* Resizes a mapping that the page map does not know just now. NULL: it stays as it was. */
static void *resize_mapping(void *start, size_t old_bytes, size_t new_bytes)
{
    if (os_remap(start, old_bytes, new_bytes, NULL)) {
        return start;
    }
    void *target = map_covered(new_bytes, os_page_bytes());
    if (target != NULL && !os_remap(start, old_bytes, new_bytes, target)) {
        os_unmap(target, new_bytes);
        return NULL;
    }
    return target;
}

static void forget_kept_locked(struct huge *huge) REQUIRES(huge_blocks.lock)
{
    list_remove(&huge->link);
    huge_blocks.kept_bytes -= huge->bytes;
    huge_blocks.kept_count--;
}

/* The smallest that is large enough, else the largest. */
static struct huge *best_kept_locked(size_t bytes) REQUIRES(huge_blocks.lock)
{
    struct huge *best = NULL;
    struct list *head = &huge_blocks.kept;
    for (struct list *node = head->next; node != head; node = node->next) {
        struct huge *kept = list_entry(node, struct huge, link);
        bool is_better = best == NULL ||
                         (best->bytes < bytes ? kept->bytes > best->bytes
                                              : kept->bytes >= bytes && kept->bytes < best->bytes);
        if (is_better) {
            best = kept;
        }
    }
    return best;
}

static struct huge *take_kept(size_t bytes)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *kept = best_kept_locked(bytes);
    if (kept != NULL) {
        forget_kept_locked(kept);
    }
    mutex_unlock(&huge_blocks.lock);
    return kept;
}

static void unmap(struct huge *huge)
{
    os_unmap(huge->start, huge->bytes);
    descriptor_destroy(huge);
}

/* A kept mapping made to size. NULL: there is none. */
static struct huge *reuse_kept(size_t bytes)
{
    struct huge *huge = take_kept(bytes);
    if (huge == NULL) {
        return NULL;
    }
    void *start = huge->start;
    if (huge->bytes < bytes || huge->bytes > bytes + bytes / KEPT_SHARE) {
        start = resize_mapping(start, huge->bytes, bytes);
    } else {
        bytes = huge->bytes;
    }
    if (start == NULL) {
        unmap(huge);
        return NULL;
    }
    huge->is_zeroed = false;
    publish(huge, start, bytes);
    return huge;
}

static void *alloc_fresh(size_t bytes, size_t alignment)
{
    struct huge *huge = descriptor_create();
    if (huge == NULL) {
        return NULL;
    }
    void *start = map_covered(bytes, alignment);
    if (start == NULL) {
        descriptor_destroy(huge);
        return NULL;
    }
    huge->is_zeroed = true;
    publish(huge, start, bytes);
    return start;
}

void *huge_alloc(size_t bytes, size_t alignment)
{
    bytes = align_up(bytes, os_page_bytes());
    if (alignment <= os_page_bytes() || alignment <= PAGE_BYTES) {
        struct huge *reused = reuse_kept(bytes);
        if (reused != NULL && ((size_t)reused->start & (alignment - 1)) == 0) {
            return reused->start;
        }
        if (reused != NULL) {
            huge_free(reused);
        }
    }
    return alloc_fresh(bytes, alignment > os_page_bytes() ? alignment : os_page_bytes());
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
    huge_blocks.kept_bytes += huge->bytes;
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

static struct huge *take_old(uint32_t ticks)
{
    mutex_lock(&huge_blocks.lock);
    struct huge *oldest = NULL;
    if (!list_is_empty(&huge_blocks.kept)) {
        oldest = list_entry(huge_blocks.kept.prev, struct huge, link);
        if (tick_count() - oldest->tick < ticks) {
            oldest = NULL;
        } else {
            forget_kept_locked(oldest);
        }
    }
    mutex_unlock(&huge_blocks.lock);
    return oldest;
}

struct huge_totals huge_totals(void)
{
    mutex_lock(&huge_blocks.lock);
    struct huge_totals totals = {huge_blocks.bytes, huge_blocks.kept_bytes};
    mutex_unlock(&huge_blocks.lock);
    return totals;
}

size_t huge_unmap_kept(uint32_t ticks)
{
    size_t bytes = 0;
    for (struct huge *huge = take_old(ticks); huge != NULL; huge = take_old(ticks)) {
        bytes += huge->bytes;
        unmap(huge);
    }
    return bytes;
}

/* Withdrawn while it changes: its old addresses may be somebody else's at once. */
void *huge_resize(struct huge *huge, size_t new_bytes)
{
    void *start = huge->start;
    size_t old_bytes = huge->bytes;
    new_bytes = align_up(new_bytes, os_page_bytes());
    withdraw(huge);
    void *resized = resize_mapping(start, old_bytes, new_bytes);
    publish(huge, resized != NULL ? resized : start, resized != NULL ? new_bytes : old_bytes);
    return resized;
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
        huge_blocks.count = 0;
    }
}
