/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* page_map.h: any 64-bit address has an answer, and it is "not ours" unless something was entered
 * there; entries in one leaf, across two and in many never touch their neighbours. The addresses
 * are never read, so they need no memory. */
#include "page_map.h"

#include "os.h"

#include "random.h"
#include "test.h"

#define ADDRESS(number) ((void *)(uintptr_t)(number))

enum { ADDRESSES = 200000, LEAVES = 24 };

static const uintptr_t leaf_bytes = (uintptr_t)1 << LEAF_LOG2;
static const uintptr_t map_end = (uintptr_t)1 << ADDRESS_BITS;

/* Something to point at; page_map_huge needs its lowest bit clear. */
static uint64_t things[LEAVES];

static struct chunk *fake_chunk(unsigned i)
{
    return (struct chunk *)(void *)&things[i];
}

static struct huge *fake_huge(unsigned i)
{
    return (struct huge *)(void *)&things[i];
}

static bool is_foreign(uintptr_t address)
{
    return page_map_class(ADDRESS(address)) == CLASS_NONE &&
           page_map_chunk(ADDRESS(address)) == NULL && page_map_huge(ADDRESS(address)) == NULL;
}

static void any_address_is_foreign(void)
{
    struct random random = random_from(3);
    unsigned wrong = 0;
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(5 * leaf_bytes), CHUNK_BYTES));
    for (unsigned i = 0; i < ADDRESSES; i++) {
        wrong += !is_foreign(random_next(&random) >> random_below(&random, 64));
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        uintptr_t address = (uintptr_t)1 << bit;
        wrong += !(is_foreign(address) && is_foreign(address - 1) && is_foreign(~address));
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(is_foreign(map_end));
    CU_ASSERT_TRUE(is_foreign(UINTPTR_MAX));
}

static void addresses_past_48_bits_cannot_be_covered(void)
{
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(map_end - CHUNK_BYTES), CHUNK_BYTES));
    CU_ASSERT_FALSE(page_map_cover(ADDRESS(map_end - CHUNK_BYTES), CHUNK_BYTES + 1));
    CU_ASSERT_FALSE(page_map_cover(ADDRESS(map_end), 1));
    CU_ASSERT_FALSE(page_map_cover(ADDRESS(UINTPTR_MAX - 1), 1));
    page_map_set_class(ADDRESS(map_end - PAGE_BYTES), 1, 7);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(map_end - 1)), 7);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(map_end)), CLASS_NONE);
}

static void classes_cover_their_pages_only(void)
{
    uintptr_t start = 17 * leaf_bytes + 5 * (uintptr_t)CHUNK_BYTES;
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(start), CHUNK_BYTES));
    page_map_set_class(ADDRESS(start), 3, CLASS_SMALL_LAST);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start - 1)), CLASS_NONE);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start)), CLASS_SMALL_LAST);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start + 3 * PAGE_BYTES - 1)), CLASS_SMALL_LAST);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start + 3 * PAGE_BYTES)), CLASS_NONE);
    page_map_set_class(ADDRESS(start + PAGE_BYTES), 1, CLASS_NONE);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start + PAGE_BYTES)), CLASS_NONE);
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(start + 2 * PAGE_BYTES)), CLASS_SMALL_LAST);
}

static void slots_hold_a_chunk_or_a_huge_block(void)
{
    uintptr_t start = 9 * leaf_bytes;
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(start), 2 * (size_t)CHUNK_BYTES));
    page_map_set_chunk(ADDRESS(start), fake_chunk(0));
    page_map_set_huge(ADDRESS(start + CHUNK_BYTES), fake_huge(1));
    CU_ASSERT_PTR_EQUAL(page_map_chunk(ADDRESS(start + CHUNK_BYTES - 1)), fake_chunk(0));
    CU_ASSERT_PTR_NULL(page_map_huge(ADDRESS(start)));
    CU_ASSERT_PTR_EQUAL(page_map_huge(ADDRESS(start + CHUNK_BYTES)), fake_huge(1));
    CU_ASSERT_PTR_NULL(page_map_chunk(ADDRESS(start + CHUNK_BYTES)));
    page_map_set_huge(ADDRESS(start + CHUNK_BYTES), NULL);
    page_map_set_chunk(ADDRESS(start), NULL);
    CU_ASSERT_TRUE(is_foreign(start));
    CU_ASSERT_TRUE(is_foreign(start + CHUNK_BYTES));
}

/* A mapping that crosses from one leaf into the next makes room in both. */
static void many_leaves(void)
{
    size_t before = page_map_mapped_bytes();
    for (unsigned i = 0; i < LEAVES; i++) {
        uintptr_t start = (3 + 2 * (uintptr_t)i) * leaf_bytes - CHUNK_BYTES;
        CU_ASSERT_TRUE_FATAL(page_map_cover(ADDRESS(start), 2 * (size_t)CHUNK_BYTES));
        page_map_set_class(ADDRESS(start + CHUNK_BYTES - PAGE_BYTES), 1, 1 + i);
        page_map_set_class(ADDRESS(start + CHUNK_BYTES), 1, 1 + i);
        page_map_set_chunk(ADDRESS(start), fake_chunk(i));
        page_map_set_huge(ADDRESS(start + CHUNK_BYTES), fake_huge(i));
    }
    CU_ASSERT_EQUAL((page_map_mapped_bytes() - before) % (2 * LEAVES), 0);
    for (unsigned i = 0; i < LEAVES; i++) {
        uintptr_t middle = (3 + 2 * (uintptr_t)i) * leaf_bytes;
        CU_ASSERT_EQUAL(page_map_class(ADDRESS(middle - 1)), 1 + i);
        CU_ASSERT_EQUAL(page_map_class(ADDRESS(middle)), 1 + i);
        CU_ASSERT_PTR_EQUAL(page_map_chunk(ADDRESS(middle - 1)), fake_chunk(i));
        CU_ASSERT_PTR_EQUAL(page_map_huge(ADDRESS(middle)), fake_huge(i));
        CU_ASSERT_TRUE(is_foreign(middle + CHUNK_BYTES));
    }
}

static void the_first_leaf_is_hot(void)
{
    uintptr_t first = 40 * leaf_bytes;
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(first)));
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(UINTPTR_MAX)));
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(first), 1));
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(first + leaf_bytes), 1));
    CU_ASSERT_TRUE(page_map_is_hot(ADDRESS(first)));
    CU_ASSERT_TRUE(page_map_is_hot(ADDRESS(first + leaf_bytes - SLOT_ALIGN_BYTES)));
    for (unsigned offset = 1; offset < SLOT_ALIGN_BYTES; offset++) {
        CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(first + offset)));
    }
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(first - 1)));
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(first + leaf_bytes)));
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(first | (uintptr_t)1 << 63)));
    page_map_set_class(ADDRESS(first), LEAF_PAGES, 3);
    for (uintptr_t address = first; address < first + leaf_bytes; address += CHUNK_BYTES) {
        CU_ASSERT_EQUAL(page_map_class_hot(ADDRESS(address)), 3);
        CU_ASSERT_EQUAL(page_map_class_hot(ADDRESS(address + CHUNK_BYTES - 1)), 3);
    }
    CU_ASSERT_EQUAL(page_map_class(ADDRESS(first + leaf_bytes)), CLASS_NONE);
}

static void no_memory_for_a_leaf(void)
{
    uintptr_t start = 60 * leaf_bytes;
    size_t before = page_map_mapped_bytes();
    os_fail_after(0, 1);
    CU_ASSERT_FALSE(page_map_cover(ADDRESS(start), 1));
    CU_ASSERT_EQUAL(page_map_mapped_bytes(), before);
    CU_ASSERT_FALSE(page_map_is_hot(ADDRESS(start)));
    CU_ASSERT_TRUE(is_foreign(start));
    CU_ASSERT_TRUE(page_map_cover(ADDRESS(start), 1));
    CU_ASSERT_TRUE(page_map_mapped_bytes() > before);
}

static const struct test tests[] = {
    {"any address is foreign", any_address_is_foreign},
    {"addresses past 48 bits cannot be covered", addresses_past_48_bits_cannot_be_covered},
    {"classes cover their pages only", classes_cover_their_pages_only},
    {"slots hold a chunk or a huge block", slots_hold_a_chunk_or_a_huge_block},
    {"many leaves", many_leaves},
    {"the first leaf is hot", the_first_leaf_is_hot},
    {"no memory for a leaf", no_memory_for_a_leaf},
    {NULL, NULL},
};

int main(void)
{
    return test_main("page_map", tests);
}
