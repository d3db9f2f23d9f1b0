/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "huge.h"

#include "bits.h"
#include "meta.h"
#include "os.h"
#include "page_map.h"

#include <stdint.h>

struct huge_blocks huge_blocks = {.all = {&huge_blocks.all, &huge_blocks.all}};

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

void *huge_alloc(size_t bytes, size_t alignment)
{
    struct huge *huge = descriptor_create();
    if (huge == NULL) {
        return NULL;
    }
    bytes = align_up(bytes, os_page_bytes());
    void *start = map_covered(bytes, alignment > os_page_bytes() ? alignment : os_page_bytes());
    if (start == NULL) {
        descriptor_destroy(huge);
        return NULL;
    }
    publish(huge, start, bytes);
    return start;
}

struct huge *huge_of(const void *start)
{
    struct huge *huge = page_map_huge(start);
    return huge != NULL && huge->start == start ? huge : NULL;
}

void huge_free(struct huge *huge)
{
    withdraw(huge);
    os_unmap(huge->start, huge->bytes);
    descriptor_destroy(huge);
}

/* Withdrawn while it changes: its old addresses may be somebody else's at once. */
void *huge_resize(struct huge *huge, size_t new_bytes)
{
    new_bytes = align_up(new_bytes, os_page_bytes());
    void *start = huge->start;
    size_t old_bytes = huge->bytes;
    withdraw(huge);
    if (os_remap(start, old_bytes, new_bytes, NULL)) {
        publish(huge, start, new_bytes);
        return start;
    }
    void *target = map_covered(new_bytes, os_page_bytes());
    if (target != NULL && os_remap(start, old_bytes, new_bytes, target)) {
        publish(huge, target, new_bytes);
        return target;
    }
    if (target != NULL) {
        os_unmap(target, new_bytes);
    }
    publish(huge, start, old_bytes);
    return NULL;
}

void huge_abandon_lock(void)
{
    if (mutex_abandon(&huge_blocks.lock)) {
        huge_blocks.epoch++;
        list_init(&huge_blocks.all);
        huge_blocks.unused = NULL;
        huge_blocks.bytes = 0;
        huge_blocks.count = 0;
    }
}
