/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* subpage.h, invariants 1 and 2 for every small class: slots are taken lowest first, each once, on
 * their own addresses, and the words past the last slot are never written. */
#include "subpage.h"

#include "bitmap.h"
#include "random.h"
#include "test.h"

enum { MAX_SLOTS = SUBPAGE_MAX_PAGES * PAGE_MAX_SLOTS };

static char *const start = (char *)(uintptr_t)0x100000; /* never read */
static uint64_t words[MAX_SLOTS / 64 + 1];
static void *slots[MAX_SLOTS];

static const uint64_t guard = UINT64_C(0x5a5a5a5a5a5a5a5a);

static struct page fresh_subpage(unsigned class)
{
    struct page subpage = {0};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        words[i] = guard;
    }
    subpage_init(&subpage, words, class);
    return subpage;
}

static unsigned model_free_count(const bool *model, unsigned slot_count)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slot_count; i++) {
        count += model[i];
    }
    return count;
}

/* Takes, and checks that the lowest free slots came, the lowest at the end of the array's top. */
static void take(struct page *subpage, bool *model, unsigned wanted)
{
    unsigned slot_count = size_classes[subpage->class].slot_count;
    unsigned expected = model_free_count(model, slot_count);
    expected = wanted < expected ? wanted : expected;
    unsigned got = subpage_take(subpage, words, start, slots + MAX_SLOTS, wanted);
    CU_ASSERT_EQUAL_FATAL(got, expected);
    unsigned slot = 0;
    for (unsigned i = 1; i <= got; i++) {
        while (!model[slot]) {
            slot++;
        }
        model[slot] = false;
        CU_ASSERT_PTR_EQUAL(slots[MAX_SLOTS - i], start + slot * size_class_bytes(subpage->class));
    }
}

static void give_some(struct page *subpage, bool *model, struct random *random)
{
    unsigned slot_count = size_classes[subpage->class].slot_count;
    for (unsigned slot = 0; slot < slot_count; slot++) {
        if (!model[slot] && random_below(random, 3) == 0) {
            model[slot] = true;
            bitmap_set(words, slot, slot + 1);
            subpage->free_count++;
        }
    }
}

static void slots_are_taken_lowest_first_1_2(void)
{
    struct random random = random_from(7);
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        bool model[MAX_SLOTS];
        unsigned slot_count = size_classes[class].slot_count;
        struct page subpage = fresh_subpage(class);
        memset(model, true, sizeof(model));
        CU_ASSERT_EQUAL(subpage.free_count, slot_count);
        for (unsigned step = 0; step < 12; step++) {
            take(&subpage, model, random_below(&random, slot_count));
            CU_ASSERT_TRUE(subpage_is_valid(&subpage, words));
            give_some(&subpage, model, &random);
            CU_ASSERT_TRUE(subpage_is_valid(&subpage, words));
        }
        take(&subpage, model, slot_count + 5);
        CU_ASSERT_EQUAL(subpage.free_count, 0);
        CU_ASSERT_EQUAL(words[BITMAP_WORDS(slot_count)], guard);
    }
}

static void the_validator_sees_damage_1(void)
{
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        unsigned slot_count = size_classes[class].slot_count;
        struct page subpage = fresh_subpage(class);
        CU_ASSERT_TRUE(subpage_is_valid(&subpage, words));
        bitmap_clear(words, slot_count - 1, slot_count);
        CU_ASSERT_FALSE(subpage_is_valid(&subpage, words));
        if (slot_count % BITMAP_WORD_BITS != 0) {
            bitmap_set(words, slot_count, slot_count + 1);
            CU_ASSERT_FALSE(subpage_is_valid(&subpage, words));
        }
    }
}

static const struct test tests[] = {
    {"slots are taken lowest first, each once", slots_are_taken_lowest_first_1_2},
    {"the validator sees damage", the_validator_sees_damage_1},
    {NULL, NULL},
};

int main(void)
{
    return test_main("subpage", tests);
}
