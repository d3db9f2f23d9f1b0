/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc doctor: what the resident memory of a process is used for, the likely causes of what
 * is too much, and the option to change. What is not the allocator's is told apart by the kernel's
 * own figures. */
#include "commands.h"

#include "say.h"
#include "smaps.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: poolmalloc doctor PID\n"
    "Splits the resident memory of a running process into what the program holds, what the\n"
    "allocator keeps and why, and what is not the allocator's; then names the likely causes\n"
    "of what is too much and the option to change, see poolmalloc.conf(5).\n";

enum {
    WORTH_PERCENT = 10,    /* of resident memory: a part this large is worth a word */
    WORTH_BYTES = 4 << 20, /* but not below this */
    MOST_PERCENT = 50,     /* the part that explains the whole */
    LARGEST_CLASSES = 3,
};

struct doctor {
    struct view view;
    struct smaps smaps;
    struct config config;
    struct resident_parts parts;
    uint64_t huge_page_excess; /* free pages that no block ever used, resident by huge pages */
    unsigned findings;
};

static uint64_t percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (100 * part + whole / 2) / whole;
}

static bool is_worth(const struct doctor *doctor, uint64_t bytes)
{
    return bytes >= WORTH_BYTES && percent(bytes, doctor->smaps.resident) >= WORTH_PERCENT;
}

/* ---- The split --------------------------------------------------------------------------- */

static void put_part(const struct doctor *doctor, const char *sign, uint64_t bytes,
                     const char *what)
{
    printf("%s %9s %3llu %%  %s\n", sign, show_bytes(bytes).text,
           (unsigned long long)percent(bytes, doctor->smaps.resident), what);
}

static void put_foreign(const struct doctor *doctor, enum owner owner, const char *what)
{
    if (doctor->smaps.by_owner[owner] != 0) {
        put_part(doctor, "+", doctor->smaps.by_owner[owner], what);
    }
}

static void put_split(const struct doctor *doctor)
{
    const struct resident_parts *parts = &doctor->parts;
    char stacks[64];
    put_part(doctor, " ", parts->in_use, "in use by the program, as far as it was ever written to");
    put_part(doctor, "+", parts->rounding, "rounding up to size classes");
    put_part(doctor, "+", parts->thread_caches + parts->depots,
             "caches: free slots ready for threads");
    put_part(doctor, "+", parts->free_slots, "fragmentation: free slots between used ones");
    put_part(doctor, "+", parts->free_pages - doctor->huge_page_excess,
             "free pages, not yet purged");
    put_part(doctor, "+", doctor->huge_page_excess, "huge-page excess: resident, never used");
    put_part(doctor, "+", parts->metadata, "metadata: the allocator's own structures");
    snprintf(stacks, sizeof(stacks), "not ours: stacks of %u thread%s", doctor->smaps.stack_count,
             doctor->smaps.stack_count == 1 ? "" : "s");
    put_foreign(doctor, OWNER_FILES, "not ours: the program, its libraries, mapped files");
    put_foreign(doctor, OWNER_STACKS, stacks);
    put_foreign(doctor, OWNER_HEAP, "not ours: [heap], memory that did not come through malloc");
    put_foreign(doctor, OWNER_SHARED, "not ours: shared memory");
    put_foreign(doctor, OWNER_OTHER, "not ours: other mappings that the program made");
    put_part(doctor, "=", doctor->smaps.resident, "resident, as the kernel has it");
    if (doctor->smaps.swapped != 0) {
        put_part(doctor, " ", doctor->smaps.swapped, "besides that, swapped out");
    }
}

/* The parts of the pool are the collector's, a moment older than the kernel's sums: what differs
 * is laid to other mappings, so that the rows add up. */
static void settle(struct doctor *doctor)
{
    const struct stats_totals *totals = &doctor->view.stats.totals;
    struct smaps *smaps = &doctor->smaps;
    uint64_t pool = smaps->by_owner[OWNER_POOL];
    if (pool > totals->resident) {
        smaps->by_owner[OWNER_OTHER] += pool - totals->resident;
    }
    smaps->by_owner[OWNER_POOL] = totals->resident;
    smaps->resident = 0;
    for (unsigned i = 0; i < OWNER_COUNT; i++) {
        smaps->resident += smaps->by_owner[i];
    }
    bool has_huge_pages = smaps->huge_pages != 0 && totals->free_pages > totals->dirty;
    doctor->huge_page_excess = has_huge_pages ? totals->free_pages - totals->dirty : 0;
}

/* ---- Findings ---------------------------------------------------------------------------- */

static void begin_finding(struct doctor *doctor, const char *cause)
{
    printf("%s\n%u. %s\n", doctor->findings == 0 ? "\nWhat stands out" : "", doctor->findings + 1,
           cause);
    doctor->findings++;
}

typedef uint64_t (*class_value)(const struct stats *stats, unsigned class);

static uint64_t live_bytes(const struct stats *stats, unsigned class)
{
    return class == CLASS_HUGE ? stats->totals.huge
                               : stats->classes[class].live * size_class_bytes(class);
}

static uint64_t idle_bytes(const struct stats *stats, unsigned class)
{
    return stats->classes[class].free_slots * size_class_bytes(class);
}

static uint64_t cached_bytes(const struct stats *stats, unsigned class)
{
    return (stats->classes[class].cached_slots + stats->classes[class].depot_slots) *
           size_class_bytes(class);
}

/* The class with the largest value behind one that was named; of equal ones the smaller class. */
static unsigned largest_behind(const struct stats *stats, class_value value, unsigned named)
{
    unsigned best = CLASS_NONE;
    uint64_t best_value = 0;
    uint64_t limit = named == CLASS_NONE ? UINT64_MAX : value(stats, named);
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        uint64_t here = value(stats, class);
        bool is_behind = here < limit || (here == limit && class > named);
        if (is_behind && here > best_value) {
            best = class;
            best_value = here;
        }
    }
    return best;
}

/* "   Largest by size class: 320 B (36.1 MiB in 109695 live blocks), 3.0 KiB (7.6 MiB ..."
 * relation: of the value's bytes to the live blocks. */
static void put_largest(const struct stats *stats, class_value value, const char *relation)
{
    unsigned class = CLASS_NONE;
    for (unsigned i = 0; i < LARGEST_CLASSES; i++) {
        class = largest_behind(stats, value, class);
        if (class == CLASS_NONE) {
            break;
        }
        uint64_t live = stats->classes[class].live;
        printf("%s%s (%s %s %llu live block%s)", i == 0 ? "   Largest by size class: " : ", ",
               class == CLASS_HUGE ? "huge" : show_bytes(size_class_bytes(class)).text,
               show_bytes(value(stats, class)).text, relation, (unsigned long long)live,
               live == 1 ? "" : "s");
    }
    printf(".\n");
}

static void find_in_use(struct doctor *doctor)
{
    const struct stats *stats = &doctor->view.stats;
    if (percent(doctor->parts.in_use, doctor->smaps.resident) >= MOST_PERCENT) {
        begin_finding(doctor,
                      "Most of it is what the program itself holds: no option changes that.");
        put_largest(stats, live_bytes, "in");
    }
}

static void find_rounding(struct doctor *doctor)
{
    const struct stats *stats = &doctor->view.stats;
    if (is_worth(doctor, doctor->parts.rounding)) {
        begin_finding(doctor, "Requests are often a little above a size class.");
        put_largest(stats, stats_class_rounding, "in");
        printf("   No option changes that; sizes just below a class would.\n");
    }
}

static void find_caches(struct doctor *doctor)
{
    const struct stats *stats = &doctor->view.stats;
    const struct stats_totals *totals = &stats->totals;
    if (is_worth(doctor, doctor->parts.thread_caches + doctor->parts.depots)) {
        begin_finding(doctor, "Caches hold free slots so that threads need no locks.");
        put_largest(stats, cached_bytes, "beside");
        printf("   %llu threads share a budget of %s. To change: cache_bytes (now %s) or\n"
               "   cached_max (now %s), smaller.\n",
               (unsigned long long)totals->threads, show_bytes(totals->cache_budget).text,
               show_bytes(doctor->config.cache_bytes).text,
               show_bytes(doctor->config.cached_max).text);
    }
}

static void find_fragmentation(struct doctor *doctor)
{
    const struct stats *stats = &doctor->view.stats;
    if (!is_worth(doctor, doctor->parts.free_slots)) {
        return;
    }
    begin_finding(doctor, "Fragmentation: some blocks live on in pages whose others were freed.");
    put_largest(stats, idle_bytes, "beside");
    printf("   'poolmalloc map %d' shows where.", (int)doctor->view.process.pid);
    if (stats->totals.arenas > 1) {
        printf(" To change: arenas, smaller (now %llu), lets\n   threads share pages.\n",
               (unsigned long long)stats->totals.arenas);
    } else {
        printf(" No option changes that: there was a peak\n   of these sizes before.\n");
    }
}

static void find_free_pages(struct doctor *doctor)
{
    int pid = (int)doctor->view.process.pid;
    uint64_t waiting = doctor->parts.free_pages - doctor->huge_page_excess;
    if (!is_worth(doctor, waiting)) {
        return;
    }
    if (doctor->config.decay_ms == DECAY_NEVER) {
        begin_finding(doctor, "Free pages are never given back: decay_ms is \"never\".");
        printf("   To change: decay_ms:1000; 'poolmalloc trim %d' gives back what there is now.\n",
               pid);
        return;
    }
    begin_finding(doctor, "Free pages wait to be used again or given back.");
    printf(
        "   After %llu ms of the program's own activity they go; a program that is idle does not\n"
        "   notice. To change: background_thread:on, or decay_ms, smaller;\n"
        "   'poolmalloc trim %d' gives back what there is now.\n",
        (unsigned long long)doctor->config.decay_ms, pid);
}

static void find_huge_pages(struct doctor *doctor)
{
    if (is_worth(doctor, doctor->huge_page_excess)) {
        begin_finding(doctor,
                      "The kernel backs the heap with huge pages, parts of which nobody uses.");
        printf("   %s of the heap lie in huge pages. To change, for the system:\n"
               "   echo madvise > /sys/kernel/mm/transparent_hugepage/enabled\n",
               show_bytes(doctor->smaps.huge_pages).text);
    }
}

static void find_metadata(struct doctor *doctor)
{
    const struct stats_totals *totals = &doctor->view.stats.totals;
    if (is_worth(doctor, doctor->parts.metadata)) {
        begin_finding(doctor, "The allocator's own structures are large beside the heap.");
        printf("   The caches of %llu threads and the descriptors of %llu chunks need them.\n"
               "   No option changes that; fewer threads would.\n",
               (unsigned long long)totals->threads, (unsigned long long)totals->chunks);
    }
}

static void find_foreign(struct doctor *doctor)
{
    const struct smaps *smaps = &doctor->smaps;
    uint64_t foreign = smaps->resident - smaps->by_owner[OWNER_POOL];
    if (percent(foreign, smaps->resident) >= MOST_PERCENT) {
        begin_finding(doctor, "Most of it is not the allocator's: look elsewhere.");
        printf("   The largest mapping is %s, %s.\n", smaps->largest_foreign_name,
               show_bytes(smaps->largest_foreign).text);
    }
}

static void (*const finders[])(struct doctor *) = {
    find_in_use, find_foreign,  find_fragmentation, find_free_pages,
    find_caches, find_rounding, find_huge_pages,    find_metadata,
};

int command_doctor(int argc, char **argv)
{
    static struct doctor doctor;
    if (wants_help(argc, argv)) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc != 2) {
        die(EXIT_USAGE, "usage: poolmalloc doctor PID");
    }
    view_open(&doctor.view, "doctor", argv[1]);
    if (!view_update(&doctor.view) || !smaps_read(&doctor.smaps, &doctor.view) ||
        !process_read(&doctor.view.process, (uintptr_t)doctor.view.layout.config, &doctor.config,
                      sizeof(doctor.config))) {
        die(EXIT_FAILED, "doctor: process %s has just ended", argv[1]);
    }
    doctor.parts = view_parts(&doctor.view);
    settle(&doctor);
    printf("%s, process %d\n\n", doctor.view.process.name, (int)doctor.view.process.pid);
    put_split(&doctor);
    for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]); i++) {
        finders[i](&doctor);
    }
    if (doctor.findings == 0) {
        printf("\nNothing stands out.\n");
    }
    return EXIT_SUCCESS;
}
