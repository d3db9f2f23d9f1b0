/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meta.h: what is taken is zeroed, aligned, never overlaps and stays for ever, also when threads
 * take at once; totals add up; no memory is an answer. */
#include "meta.h"

#include "os.h"

#include "random.h"
#include "test.h"
#include "threads.h"

enum { TAKEN = 3000, LARGE_BYTES = 5 << 20 };

struct piece {
    unsigned char *start;
    size_t bytes;
};

static struct piece pieces[THREADS][TAKEN];

static bool is_filled(const struct piece *piece, unsigned char value)
{
    for (size_t i = 0; i < piece->bytes; i++) {
        if (piece->start[i] != value) {
            return false;
        }
    }
    return true;
}

/* Takes a zeroed piece and fills it with a value of its own. */
static void take(struct piece *piece, struct random *random, unsigned char value)
{
    size_t alignment = (size_t)1 << random_below(random, 13);
    piece->bytes = random_between(random, 1, 2000);
    piece->start = meta_alloc(piece->bytes, alignment);
    if (piece->start == NULL || (uintptr_t)piece->start % alignment != 0 || !is_filled(piece, 0)) {
        abort();
    }
    memset(piece->start, value, piece->bytes);
}

static void take_many(unsigned number)
{
    struct random random = random_from(number + 1);
    for (unsigned i = 0; i < TAKEN; i++) {
        take(&pieces[number][i], &random, (unsigned char)(1 + (number + i) % 255));
    }
}

static void pieces_of_threads_never_overlap(void)
{
    size_t bytes = 0;
    run_crew(take_many);
    for (unsigned number = 0; number < THREADS; number++) {
        for (unsigned i = 0; i < TAKEN; i++) {
            CU_ASSERT_TRUE(is_filled(&pieces[number][i], (unsigned char)(1 + (number + i) % 255)));
            bytes += pieces[number][i].bytes;
        }
    }
    CU_ASSERT_TRUE(meta_totals().used_bytes >= bytes);
    CU_ASSERT_TRUE(meta_totals().mapped_bytes >= meta_totals().used_bytes);
}

static void a_piece_larger_than_a_region(void)
{
    struct piece piece = {meta_alloc(LARGE_BYTES, 4096), LARGE_BYTES};
    CU_ASSERT_PTR_NOT_NULL_FATAL(piece.start);
    CU_ASSERT_TRUE(is_filled(&piece, 0));
    CU_ASSERT_TRUE(meta_totals().used_bytes >= LARGE_BYTES);
    CU_ASSERT_PTR_NOT_NULL(meta_alloc(16, 16));
}

static void no_memory_for_a_region(void)
{
    CU_ASSERT_PTR_NOT_NULL(meta_alloc(16, 16));
    struct meta_totals before = meta_totals();
    os_fail_after(0, 1);
    CU_ASSERT_PTR_NULL(meta_alloc(LARGE_BYTES, 16));
    CU_ASSERT_EQUAL(meta_totals().mapped_bytes, before.mapped_bytes);
    CU_ASSERT_EQUAL(meta_totals().used_bytes, before.used_bytes);
    CU_ASSERT_PTR_NOT_NULL(meta_alloc(16, 16));
    CU_ASSERT_PTR_NOT_NULL(meta_alloc(LARGE_BYTES, 16));
}

static const struct test tests[] = {
    {"pieces of threads never overlap", pieces_of_threads_never_overlap},
    {"a piece larger than a region", a_piece_larger_than_a_region},
    {"no memory for a region", no_memory_for_a_region},
    {NULL, NULL},
};

int main(void)
{
    return test_main("meta", tests);
}
