/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_sums.h"

static uint64_t take(uint64_t *rest, uint64_t wanted)
{
    uint64_t taken = wanted < *rest ? wanted : *rest;
    *rest -= taken;
    return taken;
}

uint64_t stats_class_rounding(const struct stats *stats, unsigned class)
{
    const struct stats_class *counts = &stats->classes[class];
    uint64_t bytes = size_class_bytes(class);
    if (counts->slow_allocs == 0) {
        return 0;
    }
    uint64_t sixteenths = counts->request_bytes * 16 / counts->slow_allocs;
    uint64_t requested = counts->live * sixteenths / 16;
    return requested < counts->live * bytes ? counts->live * bytes - requested : 0;
}

static void add_counts(struct stats_totals *totals, const struct stats_class *counts)
{
    totals->allocs += counts->allocs;
    totals->misses += counts->misses;
    totals->slow_allocs += counts->slow_allocs;
    totals->slow_frees += counts->slow_frees;
    totals->refills += counts->refills;
    totals->flushes += counts->flushes;
    totals->lock_waits += counts->lock_waits;
    totals->live_blocks += counts->live;
}

/* What is not free, cached or in a depot is live: counts that were read at different moments then
 * still add up. */
static void settle_class(struct stats *stats, unsigned class)
{
    const struct size_class *shape = &size_classes[class];
    struct stats_class *counts = &stats->classes[class];
    struct stats_totals *totals = &stats->totals;
    uint64_t run_bytes = counts->runs * shape->run_pages * PAGE_BYTES;
    uint64_t rest = counts->runs * shape->slot_count;
    uint64_t tail_bytes = run_bytes - rest * shape->bytes;
    counts->free_slots = take(&rest, counts->free_slots);
    counts->depot_slots = take(&rest, counts->depot_slots);
    counts->cached_slots = take(&rest, counts->cached_slots);
    counts->live = rest;
    totals->active += run_bytes;
    totals->free_slots += counts->free_slots * shape->bytes + tail_bytes;
    totals->depots += counts->depot_slots * shape->bytes;
    totals->thread_caches += counts->cached_slots * shape->bytes;
    totals->allocated += rest * shape->bytes;
    totals->rounding += stats_class_rounding(stats, class);
    add_counts(totals, counts);
}

static void settle_classes(struct stats *stats)
{
    struct stats_totals *totals = &stats->totals;
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        settle_class(stats, class);
    }
    struct stats_class *huge = &stats->classes[CLASS_HUGE];
    huge->live = huge->runs;
    add_counts(totals, huge);
    totals->allocated += totals->huge;
    totals->active += totals->huge;
    totals->in_use = totals->allocated - totals->rounding;
}

static uint64_t surplus(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

/* Pages that a purge has just taken count as in use in bitmaps but as no class's: they are free. */
static void settle_pages(struct stats_totals *totals, const struct stats_found *found)
{
    uint64_t run_bytes = totals->active - totals->huge;
    uint64_t run_untouched = surplus(run_bytes, found->used_resident);
    uint64_t chunk_resident = found->used_resident + found->free_resident;
    totals->untouched_huge = surplus(totals->huge, found->huge_resident);
    totals->untouched = run_untouched + totals->untouched_huge;
    totals->free_pages = surplus(chunk_resident, run_bytes - run_untouched);
    totals->resident = totals->active - totals->untouched + totals->free_pages + totals->metadata;
    totals->mapped = totals->chunks * CHUNK_BYTES + found->huge_mapped + totals->metadata_mapped;
    if (totals->mapped < totals->resident) {
        totals->mapped = totals->resident; /* a chunk was mapped between two reads */
    }
    totals->retained = totals->mapped - totals->resident;
}

void stats_settle(struct stats *stats, const struct stats_found *found)
{
    settle_classes(stats);
    settle_pages(&stats->totals, found);
}
