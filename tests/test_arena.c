/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arena.h: runs never overlap, are aligned and known to the page map; chunks stand in the usage
 * list that their pages say, with bounds that overlap, and are asked in the order of the header;
 * blocks are resized where they are; a forgotten epoch is left alone. Valid after every step. */
#include "arena.h"

#include "budget.h"
#include "cgroup.h"
#include "config.h"
#include "os.h"
#include "page_map.h"

#include "dies.h"
#include "random.h"
#include "test.h"

enum { BLOCKS = 150, STEPS = 3000, CLASS_8_PAGES = 84, CLASS_512_PAGES = 108 };

struct block {
    char *start;
    unsigned class;
};

static struct arena *arena;
static struct block blocks[BLOCKS];
static unsigned block_count;

static void start(void)
{
    config.arenas = 1;
    arena = arena_join();
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
}

static bool overlaps(const char *block_start, size_t bytes)
{
    for (unsigned i = 0; i < block_count; i++) {
        if (block_start < blocks[i].start + size_class_bytes(blocks[i].class) &&
            blocks[i].start < block_start + bytes) {
            return true;
        }
    }
    return false;
}

static void step_alloc(struct random *random)
{
    unsigned class = random_between(random, CLASS_SMALL_LAST + 1, CLASS_NORMAL_LAST - 8);
    unsigned order = random_below(random, 4) == 0 ? random_below(random, CHUNK_ORDER + 1) : 0;
    struct arena_block block = arena_alloc_normal(arena, class, order);
    size_t bytes = size_class_bytes(class);
    char *block_start = block.start;
    CU_ASSERT_PTR_NOT_NULL_FATAL(block_start);
    CU_ASSERT_EQUAL((uintptr_t)block_start % ((size_t)PAGE_BYTES << order), 0);
    CU_ASSERT_EQUAL(page_map_class(block_start), class);
    CU_ASSERT_FALSE_FATAL(overlaps(block_start, bytes));
    for (size_t i = 0; block.is_zeroed && i < bytes; i += 512) {
        CU_ASSERT_EQUAL(block_start[i], 0);
    }
    block_start[0] = (char)class;
    block_start[bytes - 1] = (char)class;
    blocks[block_count++] = (struct block){block_start, class};
}

static bool is_intact(const struct block *block)
{
    return block->start[0] == (char)block->class &&
           block->start[size_class_bytes(block->class) - 1] == (char)block->class;
}

static void step_free(struct random *random)
{
    struct block *block = &blocks[random_below(random, block_count)];
    CU_ASSERT_TRUE(is_intact(block));
    arena_free_normal(arena_normal_page(block->start));
    CU_ASSERT_EQUAL(page_map_class(block->start), CLASS_NONE);
    *block = blocks[--block_count];
}

static void step_resize(struct random *random)
{
    struct block *block = &blocks[random_below(random, block_count)];
    unsigned new_class = random_between(random, CLASS_SMALL_LAST + 1, CLASS_NORMAL_LAST - 8);
    CU_ASSERT_TRUE(is_intact(block));
    if (arena_resize_normal(arena_normal_page(block->start), new_class)) {
        struct block resized = {block->start, new_class};
        char stamp = (char)block->class;
        *block = blocks[--block_count];
        CU_ASSERT_FALSE(overlaps(resized.start, size_class_bytes(new_class)));
        CU_ASSERT_EQUAL(page_map_class(resized.start), new_class);
        CU_ASSERT_EQUAL(resized.start[0], stamp);
        resized.start[0] = (char)new_class;
        resized.start[size_class_bytes(new_class) - 1] = (char)new_class;
        blocks[block_count++] = resized;
    } else {
        CU_ASSERT_EQUAL(page_map_class(block->start), block->class);
    }
}

static void blocks_come_grow_and_go(void)
{
    struct random random = random_from(11);
    start();
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned choice = random_below(&random, 8);
        if (block_count == BLOCKS || (block_count > 0 && choice <= 2)) {
            step_free(&random);
        } else if (block_count > 0 && choice == 3) {
            step_resize(&random);
        } else {
            step_alloc(&random);
        }
        CU_ASSERT_TRUE_FATAL(step % 8 != 0 || arena_is_valid(arena));
    }
    while (block_count > 0) {
        step_free(&random);
    }
    CU_ASSERT_TRUE(arena_is_valid(arena));
    CU_ASSERT_EQUAL(arena->used_pages, 0);
}

static struct chunk *chunk_of(void *block)
{
    return page_map_chunk(block);
}

static void *take(unsigned class)
{
    return arena_alloc_normal(arena, class, 0).start;
}

static void give(void *block)
{
    arena_free_normal(arena_normal_page(block));
}

/* Up: out of init at 25 %, of 0 at 50, of 25 at 75, of 50 at 100. Down: out of 100 below 100, of
 * 75 below 75, of 50 below 50, of 25 below 25, of 0 when empty. */
static void usage_lists_overlap(void)
{
    enum { RUNS = CHUNK_PAGES / 8 };
    static const uint8_t up[] = {USAGE_INIT, USAGE_0, USAGE_25, USAGE_50};
    static const uint8_t down[] = {USAGE_0, USAGE_25, USAGE_50, USAGE_75};
    void *runs[RUNS];
    start();
    for (unsigned i = 0; i < RUNS; i++) {
        runs[i] = take(CLASS_8_PAGES);
        unsigned quarter = (i + 1) / (RUNS / 4);
        CU_ASSERT_EQUAL(chunk_of(runs[0])->usage_list, quarter == 4 ? USAGE_100 : up[quarter]);
    }
    CU_ASSERT_EQUAL(arena->chunk_count, 1);
    for (unsigned i = RUNS; i-- > 1;) {
        give(runs[i]);
        CU_ASSERT_EQUAL(chunk_of(runs[0])->usage_list, down[i / (RUNS / 4)]);
        CU_ASSERT_TRUE(arena_is_valid(arena));
    }
    struct chunk *chunk = chunk_of(runs[0]);
    give(runs[0]);
    CU_ASSERT_EQUAL(chunk->usage_list, USAGE_INIT);
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

/* Four chunks, filled with quarters; then of each some are given back. */
static void the_fullest_list_is_asked_first(void)
{
    enum { CHUNKS = 5, QUARTERS = 4 };
    static const unsigned given_back[CHUNKS] = {4, 3, 2, 1, 0};
    void *quarters[CHUNKS][QUARTERS];
    start();
    for (unsigned i = 0; i < CHUNKS; i++) {
        for (unsigned j = 0; j < QUARTERS; j++) {
            quarters[i][j] = take(CLASS_512_PAGES);
        }
    }
    for (unsigned i = 0; i < CHUNKS; i++) {
        for (unsigned j = 0; j < given_back[i]; j++) {
            give(quarters[i][j]);
        }
    }
    static const unsigned asked[] = {3, 2, 2, 1, 1, 1, 0, 0, 0, 0};
    for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        void *block = take(CLASS_512_PAGES);
        CU_ASSERT_PTR_EQUAL(chunk_of(block), chunk_of(quarters[asked[i]][0]));
    }
    CU_ASSERT_EQUAL(arena->chunk_count, CHUNKS);
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

static void within_a_list_the_oldest_chunk_is_asked_first(void)
{
    void *whole[4];
    start();
    for (unsigned i = 0; i < 4; i++) {
        whole[i] = take(CLASS_NORMAL_LAST);
    }
    for (unsigned i = 0; i < 4; i++) {
        give(whole[(i + 2) % 4]);
    }
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_PTR_EQUAL(take(CLASS_NORMAL_LAST), whole[i]);
    }
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

static void resize_where_it_is(void)
{
    start();
    char *block = take(CLASS_8_PAGES);
    CU_ASSERT_TRUE(arena_resize_normal(arena_normal_page(block), CLASS_8_PAGES + 4));
    CU_ASSERT_EQUAL(arena->used_pages, 16);
    char *wall = take(CLASS_8_PAGES);
    CU_ASSERT_PTR_EQUAL(wall, block + 2 * size_class_bytes(CLASS_8_PAGES));
    CU_ASSERT_FALSE(arena_resize_normal(arena_normal_page(block), CLASS_8_PAGES + 8));
    CU_ASSERT_EQUAL(page_map_class(block), CLASS_8_PAGES + 4);
    CU_ASSERT_TRUE(arena_resize_normal(arena_normal_page(block), CLASS_8_PAGES));
    CU_ASSERT_EQUAL(arena->used_pages, 16);
    CU_ASSERT_EQUAL(arena->run_count[CLASS_8_PAGES], 2);
    CU_ASSERT_EQUAL(arena->run_count[CLASS_8_PAGES + 4], 0);
    CU_ASSERT_FALSE(arena_resize_normal(arena_normal_page(block), CLASS_NORMAL_LAST));
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

static void threads_are_spread(void)
{
    config.arenas = 3;
    struct arena *joined[6];
    unsigned threads[3] = {0};
    for (unsigned i = 0; i < 6; i++) {
        joined[i] = arena_join();
        threads[joined[i]->index]++;
    }
    CU_ASSERT_EQUAL(arena_count(), 3);
    CU_ASSERT_EQUAL(arena_limit().count, 3);
    CU_ASSERT_TRUE(arena_limit().is_configured);
    CU_ASSERT_TRUE(threads[0] == 2 && threads[1] == 2 && threads[2] == 2);
    arena_leave(joined[4]);
    arena_leave(joined[4]);
    CU_ASSERT_PTR_EQUAL(arena_join(), joined[4]);
}

static void arenas_follow_the_cpus(void)
{
    unsigned quota = cgroup_cpu_quota();
    bool has_less = quota != 0 && quota < os_cpu_affinity();
    CU_ASSERT_EQUAL(arena_limit().count, has_less ? quota : os_cpu_affinity());
    CU_ASSERT_EQUAL(arena_limit().affinity_cpus, os_cpu_affinity());
    CU_ASSERT_EQUAL(arena_limit().quota_cpus, quota);
    CU_ASSERT_FALSE(arena_limit().is_configured);
}

static void a_forgotten_epoch_is_left_alone(void)
{
    start();
    char *old = take(CLASS_8_PAGES);
    char *other = take(CLASS_8_PAGES);
    arena_abandon_locks();
    CU_ASSERT_EQUAL(arena->epoch, 0);
    atomic_store(&arena->lock.word, 77);
    arena_abandon_locks();
    CU_ASSERT_EQUAL(arena->epoch, 1);
    CU_ASSERT_TRUE(arena_is_valid(arena));
    CU_ASSERT_FALSE(arena_resize_normal(arena_normal_page(other), CLASS_8_PAGES - 1));
    give(old);
    CU_ASSERT_EQUAL(arena->used_pages, 0);
    CU_ASSERT_EQUAL(page_map_class(old), CLASS_NONE);
    char *fresh = take(CLASS_8_PAGES);
    CU_ASSERT_PTR_NOT_EQUAL(chunk_of(fresh), chunk_of(old));
    CU_ASSERT_TRUE(arena_is_valid(arena));
    give(fresh);
    CU_ASSERT_EQUAL(arena->used_pages, 0);
    CU_ASSERT_TRUE(arena_is_valid(arena));
}

static void no_memory_for_a_chunk(void)
{
    start();
    os_fail_after(0, 100);
    CU_ASSERT_PTR_NULL(take(CLASS_8_PAGES));
    CU_ASSERT_PTR_NULL(arena_alloc_normal_anywhere(arena, CLASS_8_PAGES, 0).start);
    CU_ASSERT_TRUE(arena_is_valid(arena));
    os_fail_after(0, 0);
    CU_ASSERT_PTR_NOT_NULL(take(CLASS_8_PAGES));
}

/* The own arena cannot grow, another one has free pages. */
static void another_arena_helps_out(void)
{
    config.arenas = 2;
    arena = arena_join();
    struct arena *full = arena_join();
    give(take(CLASS_8_PAGES));
    os_fail_after(0, 100);
    void *block = arena_alloc_normal_anywhere(full, CLASS_8_PAGES, 0).start;
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT_PTR_EQUAL(chunk_of(block)->arena, arena);
}

static char *block_to_free;

static void free_the_middle_of_a_run(void)
{
    arena_normal_page(block_to_free + SLOT_ALIGN_BYTES);
}

/* Runs of 4 MiB until the arena asks for a purge. */
static unsigned runs_until_growth(void)
{
    unsigned runs = 0;
    atomic_store(&arena_wants_purge, false);
    do {
        take(CLASS_512_PAGES);
        runs++;
    } while (!atomic_load(&arena_wants_purge));
    return runs;
}

static void growth_counts_in_smaller_steps_while_much_is_cached(void)
{
    enum { RUNS = 64, MIB = 1 << 20 };
    start();
    for (unsigned i = 0; i < RUNS; i++) {
        take(CLASS_512_PAGES);
    }
    budget_set(128 * MIB);
    arena->resident_mark = arena->used_pages;
    CU_ASSERT_EQUAL(runs_until_growth(), 5); /* 256 MiB / 16 + 2 MiB */
    CU_ASSERT_TRUE_FATAL(budget_reserve(128 * MIB));
    CU_ASSERT_EQUAL(runs_until_growth(), 1); /* 276 MiB / 256 + 2 MiB */
    budget_release(128 * MIB);
    CU_ASSERT_EQUAL(runs_until_growth(), 5);
}

static void free_a_further_page_of_a_run(void)
{
    arena_normal_page(block_to_free + PAGE_BYTES);
}

static void free_a_run_twice(void)
{
    give(block_to_free);
    give(block_to_free);
}

static void what_is_no_run_ends_the_process(void)
{
    start();
    block_to_free = take(CLASS_8_PAGES);
    CU_ASSERT_TRUE(dies_saying(
        free_the_middle_of_a_run,
        "poolmalloc: fatal: free of a pointer into the middle of a block: 0x", ", 65536-byte run"));
    CU_ASSERT_TRUE(dies_saying(free_a_further_page_of_a_run, "poolmalloc: fatal: double free: 0x",
                               ", a run of pages"));
    CU_ASSERT_TRUE(
        dies_saying(free_a_run_twice, "poolmalloc: fatal: double free: 0x", ", a run of pages"));
}

static const struct test tests[] = {
    {"blocks come, grow and go", blocks_come_grow_and_go},
    {"growth counts in smaller steps while much is cached",
     growth_counts_in_smaller_steps_while_much_is_cached},
    {"usage lists overlap", usage_lists_overlap},
    {"the fullest list is asked first", the_fullest_list_is_asked_first},
    {"within a list the oldest chunk first", within_a_list_the_oldest_chunk_is_asked_first},
    {"resize where it is", resize_where_it_is},
    {"threads are spread", threads_are_spread},
    {"arenas follow the CPUs", arenas_follow_the_cpus},
    {"a forgotten epoch is left alone", a_forgotten_epoch_is_left_alone},
    {"no memory for a chunk", no_memory_for_a_chunk},
    {"another arena helps out", another_arena_helps_out},
    {"what is no run ends the process", what_is_no_run_ends_the_process},
    {NULL, NULL},
};

int main(void)
{
    return test_main("arena", tests);
}
