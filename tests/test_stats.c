/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proves the invariants of stats.h (the waterfall adds up, the slots of a class add up), that
 * counts are those of a program that knows its own blocks, that resident is what the kernel says,
 * and that every walk ends on structures that make no sense. */
#include "test.h"

#include "bits.h"
#include "huge.h"
#include "os.h"
#include "poolmalloc.h"
#include "purge.h"
#include "stats.h"
#include "stats_report.h"

#include <pthread.h>

static void check_sums(const struct stats *stats)
{
    const struct stats_totals *totals = &stats->totals;
    uint64_t sum = totals->in_use + totals->rounding + totals->thread_caches + totals->depots +
                   totals->free_slots + totals->free_pages + totals->metadata - totals->untouched;
    CU_ASSERT_EQUAL(sum, totals->resident);
    CU_ASSERT_EQUAL(totals->resident + totals->retained, totals->mapped);
    for (unsigned class = 1; class < CLASS_HUGE; class ++) {
        const struct stats_class *counts = &stats->classes[class];
        CU_ASSERT_EQUAL(stats_class_slots(counts), counts->runs * size_classes[class].slot_count);
    }
}

/* ---- One thread that knows its blocks ---------------------------------------------------- */

enum { MODEL_BLOCKS = 20000 };

/* A size of every class in turn, the largest ones seldom. */
static size_t model_bytes(unsigned i)
{
    unsigned class = 1 + i % (i % 100 == 0 ? CLASS_NORMAL_LAST : CLASS_SMALL_LAST);
    return size_class_bytes(class) - i % 8;
}

/* As this is no process with few addresses. */
static unsigned model_class(unsigned i)
{
    size_t bytes = model_bytes(i);
    return bytes > HUGE_ABOVE_BYTES ? CLASS_HUGE : size_class_of(bytes);
}

static void counts_are_those_of_the_program(void)
{
    static void *blocks[MODEL_BLOCKS];
    static uint64_t live[CLASS_COUNT];
    uint64_t allocated = 0;
    uint64_t huge_bytes = 0;
    for (unsigned i = 0; i < MODEL_BLOCKS; i++) {
        blocks[i] = pm_malloc(model_bytes(i));
        CU_ASSERT_PTR_NOT_NULL_FATAL(blocks[i]);
    }
    for (unsigned i = 0; i < MODEL_BLOCKS; i++) {
        if (i * 7919U % 3 == 0) {
            pm_free(blocks[i]);
        } else {
            unsigned class = model_class(i);
            live[class]++;
            allocated += size_class_bytes(class);
            huge_bytes += class == CLASS_HUGE ? align_up(model_bytes(i), os_page_bytes()) : 0;
        }
    }
    void *huge = pm_malloc(40 << 20);
    const struct stats *stats = stats_acquire();
    check_sums(stats);
    live[CLASS_HUGE]++;
    huge_bytes += 40 << 20;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        CU_ASSERT_EQUAL(stats->classes[class].live, live[class]);
    }
    CU_ASSERT_EQUAL(stats->totals.huge, huge_bytes);
    CU_ASSERT_EQUAL(stats->totals.allocated, allocated + huge_bytes);
    CU_ASSERT_TRUE(stats->residency_is_known);
    stats_release();
    pm_free(huge);
    huge = NULL;
    CU_ASSERT_EQUAL(stats_acquire()->totals.huge, huge_bytes - (40 << 20));
    stats_release();
}

static void check_hits(size_t bytes)
{
    enum { PAIRS = 1000 };
    unsigned class = size_class_of(bytes);
    struct stats_class before = stats_acquire()->classes[class];
    stats_release();
    for (unsigned i = 0; i < PAIRS; i++) {
        void *block = pm_malloc(bytes);
        CU_ASSERT_PTR_NOT_NULL(block);
        pm_free(block);
    }
    struct stats_class now = stats_acquire()->classes[class];
    stats_release();
    CU_ASSERT_EQUAL(now.allocs - before.allocs, PAIRS);
    CU_ASSERT_EQUAL(now.misses - before.misses, class == CLASS_HUGE ? PAIRS : 1); /* the first */
}

static void every_allocation_is_counted(void)
{
    check_hits(48);
    check_hits(20000);
    check_hits(65536); /* a normal class, cached all the same */
    check_hits(20 << 20);
}

static void rounding_is_what_was_not_asked_for(void)
{
    enum { COUNT = 5000, ASKED = 1030, CLASS_BYTES = 1152, LARGE_ASKED = 900000, LARGE = 917504 };
    for (unsigned i = 0; i < COUNT; i++) {
        CU_ASSERT_PTR_NOT_NULL(pm_malloc(ASKED));
    }
    const struct stats *stats = stats_acquire();
    CU_ASSERT_EQUAL(stats_class_rounding(stats, size_class_of(ASKED)),
                    (uint64_t)COUNT * (CLASS_BYTES - ASKED));
    stats_release();
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(LARGE_ASKED)); /* above what is cached */
    stats = stats_acquire();
    CU_ASSERT_EQUAL(stats_class_rounding(stats, size_class_of(LARGE_ASKED)), LARGE - LARGE_ASKED);
    check_sums(stats);
    stats_release();
}

/* ---- The kernel's word ------------------------------------------------------------------- */

/* A line "KEY:  N kB" of /proc/self/status, in bytes. */
static uint64_t kernel_bytes(const char *key)
{
    static char status[8192];
    os_read_file("/proc/self/status", status, sizeof(status));
    const char *line = strstr(status, key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    return strtoull(line + strlen(key), NULL, 10) * 1024;
}

struct resident {
    uint64_t ours;
    uint64_t kernel;
};

static struct resident resident_now(void)
{
    const struct stats *stats = stats_acquire();
    struct resident now = {.ours = stats->totals.resident};
    check_sums(stats);
    stats_release();
    now.kernel = kernel_bytes("RssAnon:");
    return now;
}

#ifndef __SANITIZE_THREAD__ /* its shadow memory is resident too */
static void *take_touched_once(size_t bytes)
{
    char *block = pm_malloc(bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    block[0] = 1;
    return block;
}

/* A growing heap is made resident ahead of use, but not what of a block may never be used. */
static void long_blocks_are_resident_where_touched(void)
{
    enum { COUNT = 4000, BYTES = 20000 };
    static void *blocks[COUNT];
    struct resident before = resident_now();
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = take_touched_once(BYTES);
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        pm_free(blocks[i]);
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        blocks[i] = take_touched_once(BYTES + BYTES / 2);
    }
    struct resident now = resident_now();
    CU_ASSERT_TRUE(now.kernel - before.kernel < (uint64_t)COUNT * 2 * os_page_bytes());
}
#endif

/* Both have grown alike, within one percent of the kernel's figure. */
static void check_growth(const char *moment, struct resident before)
{
    struct resident now = resident_now();
    uint64_t ours = now.ours - before.ours;
    uint64_t kernel = now.kernel - before.kernel;
    uint64_t difference = ours > kernel ? ours - kernel : kernel - ours;
    CU_ASSERT(difference * 100 <= kernel);
    if (difference * 100 > kernel) {
        printf("  %s: ours %lu, the kernel's %lu\n", moment, ours, kernel);
    }
}

__attribute__((unused)) static void resident_is_what_the_kernel_says(void)
{
    enum { SMALL_COUNT = 200000, LARGE_COUNT = 100 };
    static void *small[SMALL_COUNT];
    static char *large[LARGE_COUNT];
    memset(small, 1, sizeof(small)); /* resident before the first look */
    memset(large, 1, sizeof(large));
    struct resident before = resident_now();
    for (unsigned i = 0; i < SMALL_COUNT; i++) {
        small[i] = memset(pm_malloc(16 + i % 1000), 1, 16 + i % 1000);
    }
    check_growth("small blocks", before);
    for (unsigned i = 0; i < LARGE_COUNT; i++) {
        large[i] = pm_malloc(1 << 20);
        memset(large[i], 1, 512 << 10);
    }
    char *huge = pm_malloc(256 << 20);
    memset(huge, 1, 64 << 20);
    check_growth("half-touched blocks", before);
    for (unsigned i = 0; i < LARGE_COUNT; i++) {
        pm_free(large[i]);
    }
    check_growth("freed, not yet purged", before);
    purge_all();
    check_growth("purged", before);
    pm_free(huge);
    check_growth("without the huge block", before);
}

/* ---- While others change everything ------------------------------------------------------ */

static atomic_bool is_over;

static void *churn(void *seed)
{
    void *held[256] = {0};
    uint64_t state = (uintptr_t)seed;
    while (!is_over) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        unsigned i = (unsigned)(state >> 56);
        pm_free(held[i]);
        held[i] = pm_malloc((state >> 33) % (state % 64 == 0 ? 400000 : 2000));
    }
    for (unsigned i = 0; i < 256; i++) {
        pm_free(held[i]);
    }
    return NULL;
}

static void sums_hold_while_threads_run(void)
{
    enum { THREADS = 4, LOOKS = 300 };
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
    }
    for (unsigned i = 0; i < LOOKS; i++) {
        check_sums(stats_acquire());
        stats_release();
    }
    is_over = true;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    const struct stats *stats = stats_acquire();
    check_sums(stats);
    CU_ASSERT_EQUAL(stats->totals.allocated, 0);
    stats_release();
}

/* ---- Structures that make no sense ------------------------------------------------------- */

static uint64_t noise_state = 1;
static unsigned reads_left;

static bool read_until_it_fails(struct reader *reader, const void *address, void *target,
                                size_t bytes)
{
    (void)reader;
    if (reads_left == 0) {
        return false;
    }
    reads_left--;
    memcpy(target, address, bytes);
    return true;
}

static bool read_noise(struct reader *reader, const void *address, void *target, size_t bytes)
{
    (void)reader;
    (void)address;
    for (size_t i = 0; i < bytes; i++) {
        noise_state = noise_state * 6364136223846793005U + 1442695040888963407U;
        ((unsigned char *)target)[i] = (unsigned char)(noise_state >> 56);
    }
    return noise_state >> 40 & 255;
}

static void walks_end_where_reading_ends(void)
{
    static struct stats stats;
    struct reader reader = {.read = read_until_it_fails, .os_page_bytes = 4096};
    unsigned complete_count = 0;
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(100));
    for (unsigned reads = 0; reads < 200; reads++) {
        reads_left = reads;
        complete_count += stats_collect(&stats, &poolmalloc_layout, &reader);
        check_sums(&stats);
    }
    CU_ASSERT(complete_count > 0 && complete_count < 200);
    CU_ASSERT_FALSE(stats.residency_is_known);
}

static void noise_ends_walks_too(void)
{
    static struct stats stats;
    struct reader reader = {.read = read_noise, .os_page_bytes = 4096};
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_FALSE(stats_collect(&stats, &poolmalloc_layout, &reader));
        check_sums(&stats);
    }
}

static void a_layout_of_another_shape_does_not_fit(void)
{
    CU_ASSERT_TRUE(layout_fits(&poolmalloc_layout));
    for (size_t i = 0; i < offsetof(struct layout, arenas); i++) {
        struct layout other = poolmalloc_layout;
        ((unsigned char *)&other)[i] ^= 1;
        /* Behind the magic's terminator nothing is compared. */
        CU_ASSERT_EQUAL(layout_fits(&other), i >= sizeof(LAYOUT_MAGIC) && i < LAYOUT_MAGIC_BYTES);
    }
}

static const struct test tests[] = {
    {"counts are those of the program", counts_are_those_of_the_program},
    {"every allocation is counted", every_allocation_is_counted},
    {"rounding is what was not asked for", rounding_is_what_was_not_asked_for},
#ifndef __SANITIZE_THREAD__ /* its shadow memory is resident too */
    {"resident is what the kernel says", resident_is_what_the_kernel_says},
    {"long blocks are resident where touched", long_blocks_are_resident_where_touched},
#endif
    {"sums hold while threads run", sums_hold_while_threads_run},
    {"walks end where reading ends", walks_end_where_reading_ends},
    {"noise ends walks too", noise_ends_walks_too},
    {"a layout of another shape does not fit", a_layout_of_another_shape_does_not_fit},
    {NULL, NULL},
};

int main(void)
{
    return test_main("stats", tests);
}
