/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "huge_mapping.h"

#include "meta.h"
#include "mutex.h"
#include "os.h"
#include "page_map.h"
#include "tick.h"

enum { LEAST_EXCESS_BYTES = 64 << 10 /* an OS page, whatever its size */ };

/* Every mapping starts and ends at a page, so that any block may come into it later. */
static size_t granule_bytes(void)
{
    return larger(os_page_bytes(), PAGE_BYTES);
}

static struct {
    struct mutex lock;
    struct huge *first; /* linked by link.next */
} unused;

static struct huge *descriptor_create(void)
{
    mutex_lock(&unused.lock);
    struct huge *huge = unused.first;
    if (huge != NULL) {
        unused.first = (struct huge *)huge->link.next;
    }
    mutex_unlock(&unused.lock);
    return huge != NULL ? huge : meta_alloc(sizeof(*huge), sizeof(void *));
}

static void descriptor_destroy(struct huge *huge)
{
    huge->start = NULL;
    mutex_lock(&unused.lock);
    huge->link.next = (struct list *)unused.first;
    unused.first = huge;
    mutex_unlock(&unused.lock);
}

size_t huge_mapped_bytes(size_t bytes, bool is_growing)
{
    size_t least = is_growing ? NORMAL_MAX_BYTES + LEAST_EXCESS_BYTES : 0;
    return align_up(larger(bytes, least), granule_bytes());
}

/* Addresses that the page map has room for. */
static void *map_covered(size_t mapped_bytes, size_t alignment)
{
    void *start = os_map(mapped_bytes, larger(alignment, granule_bytes()), NULL, "poolmalloc huge");
    if (start != NULL && !page_map_cover(start, 1)) {
        os_unmap(start, mapped_bytes);
        return NULL;
    }
    return start;
}

struct huge *huge_map(size_t bytes, size_t mapped_bytes, size_t alignment)
{
    struct huge *huge = descriptor_create();
    if (huge == NULL) {
        return NULL;
    }
    huge->mapped_bytes = mapped_bytes;
    huge->start = map_covered(mapped_bytes, alignment);
    if (huge->start == NULL) {
        descriptor_destroy(huge);
        return NULL;
    }
    huge->touched_bytes = 0;
    huge_set_bytes(huge, bytes);
    huge->has_grown = false;
    huge->dirty_bytes = 0;
    return huge;
}

void huge_unmap(struct huge *huge)
{
    os_unmap(huge->start, huge->mapped_bytes);
    descriptor_destroy(huge);
}

bool huge_remap(struct huge *huge, size_t mapped_bytes)
{
    void *start = huge->start;
    if (huge->mapped_bytes == mapped_bytes) {
        return true;
    }
    if (!os_remap(start, huge->mapped_bytes, mapped_bytes, NULL)) {
        start = map_covered(mapped_bytes, 1);
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

void huge_set_bytes(struct huge *huge, size_t bytes)
{
    huge->bytes = bytes;
    huge->tick = tick_count();
    if (huge->touched_bytes < bytes) {
        huge->touched_bytes = bytes;
    }
}

bool huge_is_populated(const struct huge *huge)
{
    uint8_t last_page = 0;
    size_t os_bytes = os_page_bytes();
    const char *last = (const char *)huge->start + huge->mapped_bytes - os_bytes;
    return os_resident(last, os_bytes, &last_page) && (last_page & 1) != 0;
}

void huge_abandon_descriptors(void)
{
    if (mutex_abandon(&unused.lock)) {
        unused.first = NULL;
    }
}
