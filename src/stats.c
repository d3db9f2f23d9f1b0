/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats.h"

#include "budget.h"

#include <assert.h>

/* No process has more, so a walk that gets here follows a broken list. */
enum { THREADS_MAX = 1 << 22, REGIONS_MAX = 1 << 20, HUGE_MAX = 1 << 22, CHUNK_SLACK = 64 };

struct walk {
    struct stats *stats;
    const struct layout *layout;
    struct reader *reader;
    struct stats_found found;
    bool is_complete;
};

static bool fetch(struct walk *walk, const void *address, void *target, size_t bytes)
{
    bool done = address != NULL && walk->reader->read(walk->reader, address, target, bytes);
    walk->is_complete &= done;
    return done;
}

/* Reads a member of a struct at an address into an object of the same type, given by address. */
#define FETCH_MEMBER(walk, type, address, member, target)                                          \
    fetch(walk, (const char *)(address) + offsetof(type, member), target, sizeof(*(target)))

static bool find_resident(struct walk *walk, const void *start, size_t bytes, uint8_t *pages)
{
    struct reader *reader = walk->reader;
    bool is_known = reader->resident != NULL && reader->resident(reader, start, bytes, pages);
    walk->stats->residency_is_known &= is_known;
    return is_known;
}

/* Resident bytes of a range; otherwise_bytes when that is not known. */
static uint64_t resident_bytes(struct walk *walk, const char *start, size_t bytes,
                               size_t otherwise_bytes)
{
    size_t os_page = walk->reader->os_page_bytes;
    size_t step_bytes = STATS_RESIDENT_PAGES * os_page;
    uint8_t *pages = walk->stats->scratch.chunk.resident;
    uint64_t resident = 0;
    for (size_t done = 0; done < bytes; done += step_bytes) {
        size_t part_bytes = bytes - done < step_bytes ? bytes - done : step_bytes;
        if (!find_resident(walk, start + done, part_bytes, pages)) {
            return otherwise_bytes;
        }
        for (size_t i = 0; i < (part_bytes + os_page - 1) / os_page; i++) {
            resident += (pages[i] & 1U) * os_page;
        }
    }
    return resident;
}

/* ---- Chunks ------------------------------------------------------------------------------ */

/* One page of ours holds several OS pages or is a part of one. */
static uint64_t page_resident_bytes(const struct walk *walk, const uint8_t *pages, unsigned page)
{
    size_t os_page = walk->reader->os_page_bytes;
    size_t first = (size_t)page * PAGE_BYTES / os_page;
    if (os_page >= PAGE_BYTES) {
        return (pages[first] & 1U) * (uint64_t)PAGE_BYTES;
    }
    uint64_t resident = 0;
    for (size_t i = 0; i < PAGE_BYTES / os_page; i++) {
        resident += (pages[first + i] & 1U) * os_page;
    }
    return resident;
}

static void add_chunk_pages(struct walk *walk, const char *base, struct stats_arena *arena)
{
    struct stats *stats = walk->stats;
    const uint64_t *in_use = stats->scratch.chunk.in_use;
    const uint64_t *dirty = stats->scratch.chunk.dirty;
    const uint8_t *pages = stats->scratch.chunk.resident;
    bool is_known = find_resident(walk, base, CHUNK_BYTES, stats->scratch.chunk.resident);
    for (unsigned i = 0; i < CHUNK_PAGES; i++) {
        bool is_used = bitmap_test(in_use, i);
        bool is_dirty = bitmap_test(dirty, i);
        uint64_t resident = is_known              ? page_resident_bytes(walk, pages, i)
                            : is_used || is_dirty ? PAGE_BYTES
                                                  : 0;
        *(is_used ? &walk->found.used_resident : &walk->found.free_resident) += resident;
        arena->free_pages_bytes += is_used ? 0 : resident;
        stats->totals.dirty += is_dirty && !is_used ? PAGE_BYTES : 0;
    }
}

static void add_chunk(struct walk *walk, const char *chunk, struct stats_arena *arena)
{
    struct stats *stats = walk->stats;
    char *base;
    uint8_t usage;
    if (FETCH_MEMBER(walk, struct chunk, chunk, base, &base) &&
        FETCH_MEMBER(walk, struct chunk, chunk, usage_list, &usage) &&
        FETCH_MEMBER(walk, struct chunk, chunk, in_use, &stats->scratch.chunk.in_use) &&
        FETCH_MEMBER(walk, struct chunk, chunk, dirty, &stats->scratch.chunk.dirty)) {
        arena->chunks_by_usage[usage % USAGE_LIST_COUNT]++;
        arena->chunks++;
        add_chunk_pages(walk, base, arena);
    }
}

/* Descriptors outlive their chunks: a stale one names another arena, or ends the bounded walk. */
static void add_chunks(struct walk *walk, const char *arena_address, struct stats_arena *arena,
                       uint32_t chunk_count)
{
    const char *head = arena_address + offsetof(struct arena, all_chunks);
    const char *node;
    const void *owner;
    if (!fetch(walk, head + offsetof(struct list, next), &node, sizeof(node))) {
        return;
    }
    for (uint64_t i = 0; node != head && i < (uint64_t)chunk_count + CHUNK_SLACK; i++) {
        const char *chunk = node - offsetof(struct chunk, all_link);
        if (!FETCH_MEMBER(walk, struct chunk, chunk, arena, &owner) || owner != arena_address) {
            return;
        }
        add_chunk(walk, chunk, arena);
        if (!fetch(walk, node + offsetof(struct list, next), &node, sizeof(node))) {
            return;
        }
    }
}

/* ---- Arenas ------------------------------------------------------------------------------ */

static void add_arena_class(struct stats *stats, unsigned class)
{
    const struct arena *arena = &stats->scratch.arena;
    const struct depot *depot = &arena->depots[class];
    struct stats_class *counts = &stats->classes[class];
    counts->runs += arena->run_count[class];
    counts->depot_slots += depot->slot_count;
    counts->lock_waits += depot->pop_lock.waits;
    if (size_class_is_small(class)) {
        const struct bin *bin = &arena->bins[class];
        counts->free_slots += bin->free_slots;
        counts->refills += bin->refill_count;
        counts->flushes += bin->flush_count;
        counts->lock_waits += bin->lock.waits;
    }
}

static void add_arena(struct walk *walk, unsigned index)
{
    struct stats *stats = walk->stats;
    struct stats_arena *totals = &stats->arenas[index];
    const char *address;
    memset(totals, 0, sizeof(*totals));
    if (!fetch(walk, &walk->layout->arenas->all[index], &address, sizeof(address)) ||
        !fetch(walk, address, &stats->scratch.arena, sizeof(stats->scratch.arena))) {
        return;
    }
    const struct arena *arena = &stats->scratch.arena;
    uint32_t chunk_count = arena->chunk_count;
    *totals = (struct stats_arena){
        .threads = arena->thread_count,
        .active_bytes = arena->used_pages * PAGE_BYTES,
        .purged_bytes = arena->purged_bytes,
        .purges = arena->purge_calls,
        .lock_waits = arena->lock.waits,
    };
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        add_arena_class(stats, class);
    }
    add_chunks(walk, address, totals, chunk_count);
    stats->totals.chunks += totals->chunks;
    stats->totals.purged += totals->purged_bytes;
    stats->totals.purges += totals->purges;
    stats->totals.lock_waits += totals->lock_waits;
}

static void add_arenas(struct walk *walk)
{
    struct stats_totals *totals = &walk->stats->totals;
    struct arena_limit limit;
    uint8_t is_configured; /* a byte that may be anything, so no bool yet */
    uint32_t count;
    if (!FETCH_MEMBER(walk, struct arena_table, walk->layout->arenas, count, &count) ||
        !FETCH_MEMBER(walk, struct arena_table, walk->layout->arenas, limit, &limit)) {
        return;
    }
    totals->arenas = count < ARENA_MAX_COUNT ? count : ARENA_MAX_COUNT;
    totals->arenas_allowed = limit.count;
    totals->affinity_cpus = limit.affinity_cpus;
    totals->quota_cpus = limit.quota_cpus;
    memcpy(&is_configured, &limit.is_configured, sizeof(is_configured));
    walk->stats->arena_count_is_configured = is_configured != 0;
    for (unsigned i = 0; i < totals->arenas; i++) {
        add_arena(walk, i);
    }
}

/* ---- Thread caches ----------------------------------------------------------------------- */

/* Slots in the loaded and the spare magazine. A pair of words that the owner changed between two
 * reads gives a number that no magazine can hold: 0 then. */
static uint64_t cached_slots(struct walk *walk, const struct tcache *tcache, unsigned class)
{
    static const uint64_t most = 1U << MAGAZINE_ROOM_LOG2_MAX;
    const struct magazine *spare = tcache->spare[class];
    uint64_t loaded_count = 0;
    uint16_t spare_count = 0;
    if (tcache->loaded[class] != NULL) {
        loaded_count = ((uintptr_t)tcache->tops[class] - (uintptr_t)tcache->loaded[class] -
                        offsetof(struct magazine, slots)) /
                       sizeof(void *);
    }
    if (spare != NULL) {
        FETCH_MEMBER(walk, struct magazine, spare, count, &spare_count);
    }
    return (loaded_count <= most ? loaded_count : 0) + (spare_count <= most ? spare_count : 0);
}

static void add_tcache(struct walk *walk, const struct tcache *tcache)
{
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        struct stats_class *counts = &walk->stats->classes[class];
        counts->cached_slots += class < CLASS_HUGE ? cached_slots(walk, tcache, class) : 0;
        counts->allocs += tcache->fast_allocs[class] + tcache->counts[class].slow_allocs;
        counts->misses += tcache->counts[class].misses;
        counts->slow_allocs += tcache->counts[class].slow_allocs;
        counts->slow_frees += tcache->counts[class].slow_frees;
        counts->request_bytes += tcache->counts[class].request_bytes;
    }
    walk->stats->totals.threads += tcache->state == TCACHE_OPEN;
}

static void add_tcaches(struct walk *walk)
{
    struct tcache *tcache = &walk->stats->scratch.tcache;
    const void *address;
    if (!fetch(walk, walk->layout->tcache_newest, &address, sizeof(address))) {
        return;
    }
    for (unsigned i = 0; address != NULL && i < THREADS_MAX; i++) {
        if (!fetch(walk, address, tcache, sizeof(*tcache))) {
            return;
        }
        add_tcache(walk, tcache);
        address = tcache->next;
    }
}

/* ---- Huge blocks and metadata ------------------------------------------------------------ */

/* A torn or foreign descriptor says what cannot be. */
static bool is_plausible(const struct huge *huge)
{
    static const uintptr_t end = (uintptr_t)1 << ADDRESS_BITS;
    uintptr_t start = (uintptr_t)huge->start;
    return start != 0 && start < end && huge->mapped_bytes <= end - start &&
           huge->touched_bytes <= huge->mapped_bytes && huge->bytes <= huge->mapped_bytes;
}

/* What of a mapping belongs to no block is a free page like others. */
static void add_huge(struct walk *walk, const struct huge *huge, size_t block_bytes)
{
    struct stats_totals *totals = &walk->stats->totals;
    const char *rest = (const char *)huge->start + block_bytes;
    size_t rest_bytes = huge->mapped_bytes - block_bytes;
    totals->huge += block_bytes;
    totals->dirty += huge->touched_bytes > block_bytes ? huge->touched_bytes - block_bytes : 0;
    walk->found.huge_mapped += huge->mapped_bytes;
    walk->found.huge_resident += resident_bytes(walk, huge->start, block_bytes, block_bytes);
    walk->found.free_resident += resident_bytes(walk, rest, rest_bytes, 0);
}

/* A block may have changed from one list to the other meanwhile: either's head ends a walk. */
static void add_huge_list(struct walk *walk, const struct list *first, bool is_live)
{
    const struct huge_blocks *blocks = walk->layout->huge_blocks;
    const struct list *node = first;
    struct huge huge;
    for (unsigned i = 0; node != &blocks->all && node != &blocks->kept && i < HUGE_MAX; i++) {
        if (!fetch(walk, (const char *)node - offsetof(struct huge, link), &huge, sizeof(huge)) ||
            !is_plausible(&huge)) {
            return;
        }
        walk->stats->classes[CLASS_HUGE].runs += is_live;
        add_huge(walk, &huge, is_live ? huge.bytes : 0);
        node = huge.link.next;
    }
}

static void add_huge_lists(struct walk *walk)
{
    struct huge_blocks blocks;
    if (fetch(walk, walk->layout->huge_blocks, &blocks, sizeof(blocks))) {
        walk->stats->totals.lock_waits += blocks.lock.waits;
        add_huge_list(walk, blocks.all.next, true);
        add_huge_list(walk, blocks.kept.next, false);
    }
}

static void add_metadata_regions(struct walk *walk)
{
    struct stats_totals *totals = &walk->stats->totals;
    const char *address;
    if (!fetch(walk, walk->layout->meta_newest, &address, sizeof(address))) {
        return;
    }
    for (unsigned i = 0; address != NULL && i < REGIONS_MAX; i++) {
        struct meta_region region;
        if (!fetch(walk, address, &region, sizeof(region))) {
            return;
        }
        totals->metadata_mapped += region.bytes;
        totals->metadata += resident_bytes(walk, address, region.bytes, region.used);
        address = (const char *)region.previous;
    }
}

static void add_leaf(struct walk *walk, const struct page_map_leaf *leaf)
{
    if (leaf != NULL) {
        walk->stats->totals.metadata_mapped += sizeof(*leaf);
        walk->stats->totals.metadata += resident_bytes(walk, (const char *)leaf, sizeof(*leaf), 0);
    }
}

static void add_page_map(struct walk *walk)
{
    static_assert(LEAF_COUNT % STATS_LEAVES_PER_READ == 0, "every leaf is read");
    struct page_map_leaf **leaves = walk->stats->leaves;
    for (unsigned first = 0; first < LEAF_COUNT; first += STATS_LEAVES_PER_READ) {
        if (!fetch(walk, &walk->layout->page_map_leaves[first], leaves,
                   sizeof(walk->stats->leaves))) {
            return;
        }
        for (unsigned i = 0; i < STATS_LEAVES_PER_READ; i++) {
            add_leaf(walk, leaves[i]);
        }
    }
}

/* ---- The whole --------------------------------------------------------------------------- */

static void add_process(struct walk *walk)
{
    struct stats_totals *totals = &walk->stats->totals;
    struct budget budget_now;
    struct layout_peak peak;
    if (fetch(walk, walk->layout->budget, &budget_now, sizeof(budget_now))) {
        totals->cache_budget = budget_now.limit_bytes;
        totals->cache_reserved = budget_now.reserved_bytes;
    }
    if (fetch(walk, walk->layout->peak, &peak, sizeof(peak))) {
        bool is_peak = totals->active >= peak.active_bytes;
        totals->peak_active = is_peak ? totals->active : peak.active_bytes;
        totals->peak_allocated = is_peak ? totals->allocated : peak.allocated_bytes;
    }
}

bool stats_collect(struct stats *stats, const struct layout *layout, struct reader *reader)
{
    struct walk walk = {.stats = stats, .layout = layout, .reader = reader, .is_complete = true};
    memset(&stats->totals, 0, sizeof(stats->totals));
    memset(stats->classes, 0, sizeof(stats->classes));
    stats->residency_is_known = true;
    stats->arena_count_is_configured = false;
    add_arenas(&walk);
    add_tcaches(&walk);
    add_huge_lists(&walk);
    add_metadata_regions(&walk);
    add_page_map(&walk);
    stats_settle(stats, &walk.found);
    add_process(&walk);
    return walk.is_complete;
}
