/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse.h: of large blocks that are nearly untouched every 17th is purged, of others none; and who
 * frees such a block knows afterwards that it is clean. */
#include "sparse.h"

#include "arena.h"
#include "config.h"
#include "huge.h"
#include "os.h"

#include "test.h"

#include <string.h>
#include <sys/prctl.h>

enum { ROUNDS = 17, LARGE_PAGES = 256, CLASS_2_MIB = 104 };

static char *map_pages(size_t pages)
{
    char *start = os_map(pages * os_page_bytes(), os_page_bytes(), NULL, "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(start);
    return start;
}

/* How often it is purged in so many rounds; `touched` of its pages are written in each. */
static unsigned purges(char *start, size_t pages, size_t touched)
{
    unsigned count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t page = 0; page < touched; page++) {
            start[page * os_page_bytes()] = 1;
        }
        if (sparse_purge(start, pages * os_page_bytes())) {
            count++;
            CU_ASSERT_EQUAL(start[0], 0);
        }
    }
    return count;
}

static void one_sparse_one_in_so_many_goes(void)
{
    char *start = map_pages(LARGE_PAGES);
    CU_ASSERT_EQUAL(purges(start, LARGE_PAGES, 1), 1);
    CU_ASSERT_EQUAL(purges(start, LARGE_PAGES, LARGE_PAGES / 4), 1);
}

static void dense_ones_stay(void)
{
    char *start = map_pages(LARGE_PAGES);
    CU_ASSERT_EQUAL(purges(start, LARGE_PAGES, LARGE_PAGES), 0);
    start = map_pages(LARGE_PAGES);
    CU_ASSERT_EQUAL(purges(start, LARGE_PAGES, LARGE_PAGES / 2), 0);
}

static void short_and_crooked_ones_stay(void)
{
    char *start = map_pages(LARGE_PAGES + 1);
    CU_ASSERT_EQUAL(purges(start, LARGE_PAGES - 1, 1), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        CU_ASSERT_FALSE(sparse_purge(start + 512, LARGE_PAGES * os_page_bytes()));
        CU_ASSERT_FALSE(sparse_purge(start, LARGE_PAGES * os_page_bytes() + 512));
    }
}

static void nothing_goes_where_nothing_decays(void)
{
    config.decay_ms = DECAY_NEVER;
    CU_ASSERT_EQUAL(purges(map_pages(LARGE_PAGES), LARGE_PAGES, 1), 0);
}

static void a_purged_run_is_clean(void)
{
    config.arenas = 1;
    struct arena *arena = arena_join();
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
    size_t bytes = size_class_bytes(CLASS_2_MIB);
    if (bytes < LARGE_PAGES * os_page_bytes()) {
        return; /* of OS pages of 64 KiB this is no large block */
    }
    unsigned zeroed = 0;
    for (unsigned round = 0; round < 2 * ROUNDS; round++) {
        struct arena_block block = arena_alloc_normal(arena, CLASS_2_MIB, 0);
        char *start = block.start;
        zeroed += block.is_zeroed;
        CU_ASSERT_TRUE(!block.is_zeroed || (start[0] == 0 && start[bytes - 1] == 0));
        start[0] = 1;
        start[bytes - 1] = 1;
        arena_free_normal(arena_normal_page(start));
        CU_ASSERT_TRUE(arena_is_valid(arena));
    }
    CU_ASSERT_EQUAL(zeroed, 2); /* the first time, and after the 17th free */
    CU_ASSERT(arena->purged_bytes >= bytes);
}

static void a_huge_block_is_purged_and_kept(void)
{
    size_t bytes = 2 * (size_t)NORMAL_MAX_BYTES;
    unsigned zeros = 0;
    for (unsigned round = 0; round < 2 * ROUNDS; round++) {
        char *start = huge_alloc(bytes, os_page_bytes());
        CU_ASSERT_PTR_NOT_NULL_FATAL(start);
        zeros += start[0] == 0;
        memset(start, 1, 16);
        huge_free(huge_of(start));
        CU_ASSERT_EQUAL(huge_blocks.kept_count, 1);
    }
    CU_ASSERT_EQUAL(zeros, 2);
}

static const struct test tests[] = {
    {"one sparse one in so many goes", one_sparse_one_in_so_many_goes},
    {"dense ones stay", dense_ones_stay},
    {"short and crooked ones stay", short_and_crooked_ones_stay},
    {"nothing goes where nothing decays", nothing_goes_where_nothing_decays},
    {"a purged run is clean", a_purged_run_is_clean},
    {"a huge block is purged and kept", a_huge_block_is_purged_and_kept},
    {NULL, NULL},
};

int main(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a huge page is resident as a whole */
    return test_main("sparse", tests);
}
