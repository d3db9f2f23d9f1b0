/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view.h"

#include "say.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK_SLACK = 64,
    HUGE_MOST = 1 << 20,
    REGIONS_MOST = 1 << 20,
    THREADS_MOST = 1 << 22,
    PAGEMAP_ENTRIES = 512,
};

static bool read_memory(struct reader *reader, const void *address, void *target, size_t bytes)
{
    const struct view *view = (struct view *)(void *)reader;
    return process_read(&view->process, (uintptr_t)address, target, bytes);
}

/* Bit 63 of a pagemap entry: the page is present. Source: the kernel's pagemap.rst. */
static bool read_resident(struct reader *reader, const void *start, size_t bytes, uint8_t *pages)
{
    const struct view *view = (struct view *)(void *)reader;
    uint64_t entries[PAGEMAP_ENTRIES];
    size_t page_count = (bytes + reader->os_page_bytes - 1) / reader->os_page_bytes;
    off_t from = (off_t)((uintptr_t)start / reader->os_page_bytes * sizeof(entries[0]));
    for (size_t done = 0; done < page_count; done += PAGEMAP_ENTRIES) {
        size_t count = page_count - done < PAGEMAP_ENTRIES ? page_count - done : PAGEMAP_ENTRIES;
        size_t wanted = count * sizeof(entries[0]);
        if (pread(view->pagemap, entries, wanted, from) != (ssize_t)wanted) {
            return false;
        }
        from += (off_t)wanted;
        for (size_t i = 0; i < count; i++) {
            pages[done + i] = (uint8_t)(entries[i] >> 63);
        }
    }
    return true;
}

static _Noreturn void die_misfit(const struct view *view, const char *command)
{
    uint32_t version = view->layout.version;
    int pid = (int)view->process.pid;
    bool is_layout = memcmp(view->layout.magic, LAYOUT_MAGIC, sizeof(LAYOUT_MAGIC)) == 0;
    if (is_layout && version != LAYOUT_VERSION) {
        die(EXIT_FAILED, "%s: process %d runs on %s library (layout %u, this command reads %d)",
            command, pid, version > LAYOUT_VERSION ? "a newer" : "an older", version,
            LAYOUT_VERSION);
    }
    die(EXIT_FAILED,
        "%s: process %d runs on another build of the library, use the command beside it", command,
        pid);
}

void view_open(struct view *view, const char *command, const char *pid_text)
{
    char path[64];
    process_open(&view->process, command, pid_text);
    view->reader = (struct reader){read_memory, read_resident, (size_t)sysconf(_SC_PAGESIZE)};
    if (!process_read(&view->process, view->process.layout_address, &view->layout,
                      sizeof(view->layout)) ||
        !layout_fits(&view->layout)) {
        die_misfit(view, command);
    }
    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)view->process.pid);
    view->pagemap = open(path, O_RDONLY | O_CLOEXEC);
    if (view->pagemap < 0) {
        view->reader.resident = NULL;
    }
}

bool view_update(struct view *view)
{
    stats_collect(&view->stats, &view->layout, &view->reader);
    view->stats.process_id = (uint64_t)view->process.pid;
    view->stats.unix_seconds = (uint64_t)time(NULL);
    return process_is_alive(&view->process);
}

static void take_off(uint64_t *untouched, uint64_t *part)
{
    uint64_t taken = *untouched < *part ? *untouched : *part;
    *untouched -= taken;
    *part -= taken;
}

struct resident_parts view_parts(const struct view *view)
{
    const struct stats_totals *totals = &view->stats.totals;
    struct resident_parts parts = {
        .in_use = totals->in_use,
        .rounding = totals->rounding,
        .free_slots = totals->free_slots,
        .depots = totals->depots,
        .thread_caches = totals->thread_caches,
        .free_pages = totals->free_pages,
        .metadata = totals->metadata,
    };
    uint64_t untouched = totals->untouched;
    take_off(&untouched, &parts.in_use);
    take_off(&untouched, &parts.rounding);
    take_off(&untouched, &parts.free_slots);
    take_off(&untouched, &parts.depots);
    take_off(&untouched, &parts.thread_caches);
    return parts;
}

/* ---- Chunks and huge blocks -------------------------------------------------------------- */

#define READ_MEMBER(view, type, address, member, target)                                           \
    process_read(&(view)->process, (uintptr_t)(address) + offsetof(type, member), target,          \
                 sizeof(*(target)))

/* The first chunk after a list node, NULL: the end, or a descriptor that left the list. */
static const char *chunk_behind(const struct view *view, const char *arena, const char *node)
{
    const char *next = NULL;
    const void *owner = NULL;
    const char *head = arena + offsetof(struct arena, all_chunks);
    if (!READ_MEMBER(view, struct list, node, next, &next) || next == head) {
        return NULL;
    }
    const char *chunk = next - offsetof(struct chunk, all_link);
    return READ_MEMBER(view, struct chunk, chunk, arena, &owner) && owner == arena ? chunk : NULL;
}

void view_chunks(const struct view *view, void (*visit)(void *context, struct chunk_view chunk),
                 void *context)
{
    struct chunk *copy = malloc(sizeof(*copy));
    for (unsigned i = 0; copy != NULL && i < view->stats.totals.arenas; i++) {
        const char *arena = NULL;
        uint32_t chunk_count = 0;
        if (!process_read(&view->process, (uintptr_t)&view->layout.arenas->all[i], &arena,
                          sizeof(arena)) ||
            !READ_MEMBER(view, struct arena, arena, chunk_count, &chunk_count)) {
            continue;
        }
        const char *node = arena + offsetof(struct arena, all_chunks);
        for (uint64_t seen = 0; seen < (uint64_t)chunk_count + CHUNK_SLACK; seen++) {
            const char *chunk = chunk_behind(view, arena, node);
            if (chunk == NULL || !process_read(&view->process, (uintptr_t)chunk, copy,
                                               offsetof(struct chunk, slot_words))) {
                break;
            }
            visit(context, (struct chunk_view){i, copy});
            node = chunk + offsetof(struct chunk, all_link);
        }
    }
    free(copy);
}

/* A block may have changed from one list to the other meanwhile: either's head ends a walk. */
static void visit_huge_list(const struct view *view, const struct list *head,
                            void (*visit)(void *context, struct huge huge), void *context)
{
    const struct huge_blocks *blocks = view->layout.huge_blocks;
    const char *node = (const char *)head;
    for (unsigned i = 0; i < HUGE_MOST; i++) {
        struct huge huge;
        if (!READ_MEMBER(view, struct list, node, next, &node) ||
            node == (const char *)&blocks->all || node == (const char *)&blocks->kept ||
            node == NULL ||
            !process_read(&view->process, (uintptr_t)node - offsetof(struct huge, link), &huge,
                          sizeof(huge)) ||
            huge.start == NULL) {
            return;
        }
        visit(context, huge);
    }
}

void view_huge(const struct view *view, void (*visit)(void *context, struct huge huge),
               void *context)
{
    visit_huge_list(view, &view->layout.huge_blocks->all, visit, context);
}

/* ---- Mappings ---------------------------------------------------------------------------- */

typedef void (*visit_range)(void *context, const void *start, size_t bytes);

struct range_visit {
    visit_range visit;
    void *context;
};

static void visit_chunk_range(void *context, struct chunk_view view)
{
    const struct range_visit *to = context;
    to->visit(to->context, view.chunk->base, CHUNK_BYTES);
}

static void visit_huge_range(void *context, struct huge huge)
{
    const struct range_visit *to = context;
    to->visit(to->context, huge.start, huge.mapped_bytes);
}

static void visit_metadata(const struct view *view, const struct range_visit *to)
{
    struct meta_region region;
    const void *address = NULL;
    process_read(&view->process, (uintptr_t)view->layout.meta_newest, &address, sizeof(address));
    for (unsigned i = 0; address != NULL && i < REGIONS_MOST; i++, address = region.previous) {
        if (!process_read(&view->process, (uintptr_t)address, &region, sizeof(region))) {
            return;
        }
        to->visit(to->context, address, region.bytes);
    }
}

static void visit_leaves(const struct view *view, const struct range_visit *to)
{
    static struct page_map_leaf *leaves[LEAF_COUNT];
    if (!process_read(&view->process, (uintptr_t)view->layout.page_map_leaves, leaves,
                      sizeof(leaves))) {
        return;
    }
    for (unsigned i = 0; i < LEAF_COUNT; i++) {
        if (leaves[i] != NULL) {
            to->visit(to->context, leaves[i], sizeof(*leaves[i]));
        }
    }
}

void view_ranges(const struct view *view, visit_range visit, void *context)
{
    struct range_visit to = {visit, context};
    view_chunks(view, visit_chunk_range, &to);
    visit_huge_list(view, &view->layout.huge_blocks->all, visit_huge_range, &to);
    visit_huge_list(view, &view->layout.huge_blocks->kept, visit_huge_range, &to);
    visit_metadata(view, &to);
    visit_leaves(view, &to);
}

/* ---- Threads ----------------------------------------------------------------------------- */

static struct thread_view thread_of(const struct tcache *tcache)
{
    struct thread_view thread = {.os_thread_id = tcache->os_thread_id};
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        thread.slow_calls += tcache->counts[class].slow_allocs + tcache->counts[class].slow_frees;
        uintptr_t slots = (uintptr_t)tcache->loaded[class] + offsetof(struct magazine, slots);
        uint64_t count = ((uintptr_t)tcache->tops[class] - slots) / sizeof(void *);
        bool is_likely = tcache->loaded[class] != NULL && count <= 1U << MAGAZINE_ROOM_LOG2_MAX;
        thread.cached_bytes += is_likely ? count * size_class_bytes(class) : 0;
    }
    return thread;
}

static unsigned arena_index(const struct view *view, const struct arena *arena)
{
    uint32_t index = 0;
    READ_MEMBER(view, struct arena, arena, index, &index);
    return index;
}

void view_threads(const struct view *view, void (*visit)(void *context, struct thread_view thread),
                  void *context)
{
    static struct tcache tcache;
    const void *address = NULL;
    process_read(&view->process, (uintptr_t)view->layout.tcache_newest, &address, sizeof(address));
    for (unsigned i = 0; address != NULL && i < THREADS_MOST; i++, address = tcache.next) {
        if (!process_read(&view->process, (uintptr_t)address, &tcache, sizeof(tcache))) {
            return;
        }
        if (tcache.state == TCACHE_OPEN) {
            struct thread_view thread = thread_of(&tcache);
            thread.arena = arena_index(view, tcache.arena);
            visit(context, thread);
        }
    }
}
