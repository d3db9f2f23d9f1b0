/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* purge.h: pages that lie unused go back in steps of decay and not before, what went back reads as
 * zero, a chunk that is free as a whole is unmapped but for one, and a failing kernel loses
 * nothing. */
#include "purge.h"

#include "bin.h"
#include "budget.h"
#include "config.h"
#include "huge.h"
#include "os.h"
#include "page_map.h"
#include "tick.h"

#include "test.h"

#include <sys/mman.h>

enum {
    RUNS = 24,
    CLASS_64_PAGES = 96,
    SLOTS = 100,
    POLLS = 60,
    POLL_US = 30000,
    LOOK_US = 20000 /* the coarse clock has gone on */
};

static struct arena *arena;

static void start(void)
{
    config.arenas = 1;
    arena = arena_join();
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
}

static char *take(unsigned class)
{
    char *block = arena_alloc_normal(arena, class, 0).start;
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    memset(block, 0xee, size_class_bytes(class));
    return block;
}

static void give(void *block)
{
    arena_free_normal(arena_normal_page(block));
}

/* Every other run of one chunk is freed, so that the chunk stays. */
static void make_holes(char *runs[RUNS])
{
    for (unsigned i = 0; i < RUNS; i++) {
        runs[i] = take(CLASS_64_PAGES);
    }
    for (unsigned i = 0; i < RUNS; i += 2) {
        give(runs[i]);
    }
}

static size_t resident_pages(char *block, size_t bytes)
{
    unsigned char resident[1024] = {0};
    size_t count = 0;
    mincore(block, bytes, resident);
    for (size_t i = 0; i < sizeof(resident); i++) {
        count += resident[i] & 1;
    }
    return count;
}

static bool is_filled(const char *block, size_t bytes, char value)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] != value) {
            return false;
        }
    }
    return true;
}

static void purged_pages_are_zero_and_others_stay(void)
{
    char *runs[RUNS];
    size_t bytes = size_class_bytes(CLASS_64_PAGES);
    start();
    make_holes(runs);
    CU_ASSERT_TRUE(purge_all());
    CU_ASSERT_TRUE(arena_is_valid(arena));
    CU_ASSERT_EQUAL(arena->purged_bytes, RUNS / 2 * bytes);
    for (unsigned i = 0; i < RUNS; i++) {
        CU_ASSERT_TRUE(is_filled(runs[i], bytes, i % 2 == 0 ? 0 : (char)0xee));
    }
    CU_ASSERT_FALSE(purge_all());
}

static void purged_runs_are_handed_out_as_zeroed(void)
{
    char *runs[RUNS];
    start();
    make_holes(runs);
    CU_ASSERT_FALSE(arena_alloc_normal(arena, CLASS_64_PAGES, 0).is_zeroed);
    CU_ASSERT_TRUE(purge_all());
    for (unsigned i = 0; i < RUNS / 2 - 1; i++) {
        struct arena_block block = arena_alloc_normal(arena, CLASS_64_PAGES, 0);
        CU_ASSERT_TRUE(block.is_zeroed);
        CU_ASSERT_TRUE(is_filled(block.start, size_class_bytes(CLASS_64_PAGES), 0));
    }
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

/* Polls until a page of the block is gone. Returns after how many milliseconds, or 0: never. */
static uint64_t ms_until_purged(char *block, size_t bytes)
{
    uint64_t started_ms = os_now_ms();
    for (unsigned i = 0; i < POLLS; i++) {
        purge_poll();
        if (resident_pages(block, bytes) == 0) {
            return os_now_ms() - started_ms;
        }
        usleep(POLL_US);
    }
    return 0;
}

static void decay_takes_its_time(void)
{
    char *runs[RUNS];
    size_t bytes = size_class_bytes(CLASS_64_PAGES);
    start();
    config.decay_ms = 1200;
    purge_poll();
    make_holes(runs);
    CU_ASSERT_NOT_EQUAL(resident_pages(runs[0], bytes), 0);
    uint64_t ms = ms_until_purged(runs[0], bytes);
    CU_ASSERT_TRUE(ms >= 560); /* half of it; ticks alone would take 500 */
    CU_ASSERT_EQUAL(resident_pages(runs[1], bytes), bytes / (size_t)sysconf(_SC_PAGESIZE));
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

static void decay_never(void)
{
    char *runs[RUNS];
    start();
    config.decay_ms = DECAY_NEVER;
    make_holes(runs);
    CU_ASSERT_EQUAL(ms_until_purged(runs[0], size_class_bytes(CLASS_64_PAGES)), 0);
    CU_ASSERT_EQUAL(arena->purged_bytes, 0);
    CU_ASSERT_TRUE(purge_all());
}

static void the_tick_advances_four_times_a_second(void)
{
    start();
    purge_poll();
    uint32_t before = tick_count();
    CU_ASSERT_FALSE(purge_poll());
    CU_ASSERT_EQUAL(tick_count(), before);
    usleep(270000);
    CU_ASSERT_TRUE(purge_poll());
    CU_ASSERT_FALSE(purge_poll());
    CU_ASSERT_EQUAL(tick_count(), before + 1);
}

static void free_chunks_are_unmapped_but_for_one(void)
{
    char *whole[4];
    unsigned mapped = 0;
    start();
    for (unsigned i = 0; i < 4; i++) {
        whole[i] = take(CLASS_NORMAL_LAST);
    }
    CU_ASSERT_EQUAL(arena->chunk_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        give(whole[i]);
    }
    CU_ASSERT_TRUE(purge_all());
    CU_ASSERT_EQUAL(arena->chunk_count, 1);
    CU_ASSERT_TRUE(arena_is_valid(arena));
    for (unsigned i = 0; i < 4; i++) {
        unsigned char resident;
        bool is_mapped = mincore(whole[i], 1, &resident) == 0;
        CU_ASSERT_EQUAL(page_map_chunk(whole[i]) != NULL, is_mapped);
        mapped += is_mapped;
        CU_ASSERT_TRUE(!is_mapped || is_filled(whole[i], CHUNK_BYTES, 0));
    }
    CU_ASSERT_EQUAL(mapped, 1);
}

static struct magazine *cached_magazine(unsigned class)
{
    struct magazine *magazine = magazine_create(SLOTS);
    magazine->count = (uint16_t)bin_refill(arena, class, magazine->slots + SLOTS, SLOTS);
    CU_ASSERT_EQUAL(magazine->count, SLOTS);
    CU_ASSERT_TRUE(budget_reserve(SLOTS * size_class_bytes(class)));
    return magazine;
}

static void depots_hand_back_their_slots(void)
{
    enum { CLASS = 4 };
    start();
    depot_put(&arena->depots[CLASS], cached_magazine(CLASS));
    CU_ASSERT_EQUAL(arena->run_count[CLASS], 1);
    CU_ASSERT_TRUE(purge_all());
    CU_ASSERT_EQUAL(arena->run_count[CLASS], 0);
    CU_ASSERT_EQUAL(budget_reserved_bytes(), 0);
    CU_ASSERT_EQUAL(atomic_load(&arena->depots[CLASS].magazine_count), 0);
    CU_ASSERT_TRUE(bin_is_valid(arena, CLASS) && arena_is_valid(arena));
}

/* What the kernel refused stays dirty and is tried again. */
static void a_failing_purge_loses_nothing(void)
{
    char *runs[RUNS];
    size_t bytes = size_class_bytes(CLASS_64_PAGES);
    start();
    make_holes(runs);
    os_fail_after(3, 4);
    purge_all();
    os_fail_after(0, 0);
    CU_ASSERT_TRUE(arena_is_valid(arena));
    CU_ASSERT_EQUAL(arena->purged_bytes, (RUNS / 2 - 4) * bytes);
    CU_ASSERT_TRUE(purge_all());
    CU_ASSERT_EQUAL(arena->purged_bytes, RUNS / 2 * bytes);
    for (unsigned i = 0; i < RUNS; i++) {
        CU_ASSERT_TRUE(is_filled(runs[i], bytes, i % 2 == 0 ? 0 : (char)0xee));
    }
}

static void larger_os_pages(void)
{
    start();
    os_pretend_page_bytes(65536);
    char *wall = take(CLASS_SMALL_LAST + 1);
    char *gap = take(CLASS_SMALL_LAST + 1);
    char *far = take(CLASS_64_PAGES);
    give(gap);
    give(far);
    purge_all();
    CU_ASSERT_TRUE(arena_is_valid(arena));
    CU_ASSERT_TRUE(is_filled(wall, size_class_bytes(CLASS_SMALL_LAST + 1), (char)0xee));
    CU_ASSERT_TRUE(is_filled(far, size_class_bytes(CLASS_64_PAGES), 0));
    CU_ASSERT_EQUAL(arena->purged_bytes % 65536, 0);
}

/* Memory grows while slots lie free in a bin that nobody uses: at the second step they go. */
static void growth_purges_idle_bins(void)
{
    enum { CLASS_2048 = 48, COUNT = 512, SURVIVORS = 64 };
    void *slots[COUNT];
    size_t bytes = size_class_bytes(CLASS_2048);
    start();
    for (unsigned got = 0; got < COUNT;) {
        got += bin_refill(arena, CLASS_2048, slots + COUNT - got, COUNT - got);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        memset(slots[i], 0xee, bytes);
    }
    bin_flush(CLASS_2048, slots + SURVIVORS, COUNT - SURVIVORS);
    for (unsigned i = 0; i < SURVIVORS; i++) {
        bin_flush(CLASS_2048, slots + i, i % 8 != 0);
    }
    char *lowest = slots[7]; /* eight slots a subpage, the lowest is the last; slots[0] survives */
    purge_wanted();
    CU_ASSERT_EQUAL(resident_pages(lowest, 4 * bytes), 4 * bytes / os_page_bytes());
    purge_wanted();
    CU_ASSERT_EQUAL(resident_pages(lowest, 4 * bytes), 0);
    for (unsigned i = 0; i < SURVIVORS; i += 8) {
        CU_ASSERT_TRUE(is_filled(slots[i], bytes, (char)0xee));
    }
    CU_ASSERT_TRUE(bin_is_valid(arena, CLASS_2048));
}

/* Nobody turns the clock while a program of one thread sleeps. */
static void garbage_of_one_thread_goes_at_once(void)
{
    enum { COUNT = 160, KEPT_EVERY = 16, CLASS_2048 = 48 }; /* 80 MiB */
    char *blocks[COUNT];
    void *slots[8];
    start();
    CU_ASSERT_EQUAL_FATAL(bin_refill(arena, CLASS_2048, slots + 8, 8), 8);
    memset(slots[7], 0xee, 4 * size_class_bytes(CLASS_2048)); /* the lowest of a subpage's eight */
    bin_flush(CLASS_2048, slots + 1, 7);
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = take(CLASS_64_PAGES);
    }
    purge_poll();
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % KEPT_EVERY != 0) {
            give(blocks[i]);
        }
    }
    CU_ASSERT_NOT_EQUAL(resident_pages(blocks[1], size_class_bytes(CLASS_64_PAGES)), 0);
    usleep(20000); /* it is looked at once at each time of the coarse clock */
    purge_poll();
    if (is_alone()) { /* not where libc does not tell, or a sanitizer has a thread */
        CU_ASSERT_EQUAL(resident_pages(blocks[1], size_class_bytes(CLASS_64_PAGES)), 0);
        CU_ASSERT_EQUAL(resident_pages(slots[7], 4096), 0);
    }
    CU_ASSERT_TRUE(is_filled(blocks[KEPT_EVERY], size_class_bytes(CLASS_64_PAGES), (char)0xee));
}

static struct chunk *newest_chunk(void)
{
    return list_entry(arena->all_chunks.next, struct chunk, all_link);
}

/* A heap that asks for huge pages loses none of them while it is dense, and then all. */
static void huge_pages(void)
{
    enum { DENSE_CHUNKS = 4, CHUNK_RUNS = CHUNK_PAGES / 64 };
    size_t bytes = size_class_bytes(CLASS_64_PAGES);
    char *runs[CHUNK_RUNS];
    start();
    config.huge_pages = 1;
    for (unsigned i = 0; i < DENSE_CHUNKS; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(arena_alloc_normal(arena, CLASS_NORMAL_LAST, 0).start);
        CU_ASSERT_FALSE(newest_chunk()->has_huge_pages);
    }
    for (unsigned i = 0; i < CHUNK_RUNS; i++) {
        runs[i] = take(CLASS_64_PAGES);
    }
    if (!newest_chunk()->has_huge_pages) {
        return; /* a kernel without them */
    }
    give(runs[1]);
    purge_all();
    CU_ASSERT_EQUAL(arena->purged_bytes, 0);
    for (unsigned i = 4; i < 8; i++) {
        give(runs[i]);
    }
    purge_all();
    CU_ASSERT_EQUAL(arena->purged_bytes, 4 * bytes);
    CU_ASSERT_TRUE(newest_chunk()->has_huge_pages);
    for (unsigned i = 8; i < 21; i++) {
        give(runs[i]);
    }
    purge_all();
    CU_ASSERT_EQUAL(arena->purged_bytes, 18 * bytes);
    CU_ASSERT_FALSE(newest_chunk()->has_huge_pages);
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

/* Of a mapping that an arena might have instead; while its pages are enough, it is kept. */
static void growth_unmaps_what_is_kept(void)
{
    start();
    purge_poll(); /* a tick, so that the next is not due */
    huge_free(huge_of(huge_alloc(2 << 20, 1)));
    tick_advance();
    usleep(LOOK_US);
    purge_poll();
    usleep(LOOK_US);
    purge_poll();
    CU_ASSERT_EQUAL(huge_totals().idle_bytes, 2 << 20);
    arena_alloc_normal(arena, CLASS_64_PAGES, 0);
    usleep(LOOK_US);
    purge_poll();
    CU_ASSERT_EQUAL(huge_totals().idle_bytes, 0);
}

static const struct test tests[] = {
    {"purged pages are zero and others stay", purged_pages_are_zero_and_others_stay},
    {"purged runs are handed out as zeroed", purged_runs_are_handed_out_as_zeroed},
    {"decay takes its time", decay_takes_its_time},
    {"decay never", decay_never},
    {"the tick advances four times a second", the_tick_advances_four_times_a_second},
    {"free chunks are unmapped but for one", free_chunks_are_unmapped_but_for_one},
    {"depots hand back their slots", depots_hand_back_their_slots},
    {"a failing purge loses nothing", a_failing_purge_loses_nothing},
    {"larger OS pages", larger_os_pages},
    {"growth purges idle bins", growth_purges_idle_bins},
    {"garbage of one thread goes at once", garbage_of_one_thread_goes_at_once},
    {"growth unmaps what is kept", growth_unmaps_what_is_kept},
    {"huge pages", huge_pages},
    {NULL, NULL},
};

int main(void)
{
    return test_main("purge", tests);
}
