/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bitmap.h against an array of bools: every range [first, end) of three words and a bit, over
 * empty, full and random contents; the words around the bitmap stay as they were. */
#include "bitmap.h"

#include "random.h"
#include "test.h"

enum { BITS = 3 * BITMAP_WORD_BITS + 1, WORDS = BITMAP_WORDS(BITS), GUARDS = 1 };

static const uint64_t guard = UINT64_C(0xa5a5a5a5a5a5a5a5);

struct both {
    uint64_t space[GUARDS + WORDS + GUARDS];
    bool model[BITS];
};

static uint64_t *words_of(struct both *both)
{
    return both->space + GUARDS;
}

static void fill(struct both *both, struct random *random, unsigned density)
{
    memset(both, 0, sizeof(*both));
    both->space[0] = guard;
    both->space[GUARDS + WORDS] = guard;
    for (unsigned bit = 0; bit < BITS; bit++) {
        both->model[bit] = random_below(random, 4) < density;
        words_of(both)[bit / 64] |= (uint64_t)both->model[bit] << bit % 64;
    }
}

static bool agree(struct both *both)
{
    unsigned count = 0;
    for (unsigned bit = 0; bit < BITS; bit++) {
        count += both->model[bit];
        if (bitmap_test(words_of(both), bit) != both->model[bit]) {
            return false;
        }
    }
    return bitmap_count(words_of(both), 0, BITS) == count && both->space[0] == guard &&
           both->space[GUARDS + WORDS] == guard;
}

static unsigned model_find(const bool *model, bool value, unsigned from, unsigned end)
{
    while (from < end && model[from] != value) {
        from++;
    }
    return from;
}

static unsigned model_count(const bool *model, unsigned from, unsigned end)
{
    unsigned count = 0;
    for (unsigned bit = from; bit < end; bit++) {
        count += model[bit];
    }
    return count;
}

static void finds_in_every_range(void)
{
    struct random random = random_from(1);
    struct both both;
    unsigned wrong = 0;
    for (unsigned density = 0; density <= 4; density++) {
        fill(&both, &random, density);
        uint64_t *words = words_of(&both);
        for (unsigned first = 0; first < BITS; first++) {
            for (unsigned end = first; end <= BITS; end++) {
                unsigned set = model_find(both.model, true, first, end);
                unsigned clear = model_find(both.model, false, first, end);
                wrong += bitmap_find(words, true, first, end) != set;
                wrong += bitmap_find(words, false, first, end) != clear;
                wrong += bitmap_any(words, first, end) != (set < end);
                wrong += bitmap_count(words, first, end) != model_count(both.model, first, end);
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void changes_every_range(void)
{
    struct random random = random_from(2);
    struct both both;
    unsigned wrong = 0;
    for (unsigned first = 0; first < BITS; first++) {
        for (unsigned end = first; end <= BITS; end++) {
            bool value = (first + end) % 2 != 0;
            fill(&both, &random, 2);
            (value ? bitmap_set : bitmap_clear)(words_of(&both), first, end);
            memset(both.model + first, value, end - first);
            wrong += !agree(&both);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const struct test tests[] = {
    {"find, any, count and test see every range", finds_in_every_range},
    {"set and clear change their range and nothing else", changes_every_range},
    {NULL, NULL},
};

int main(void)
{
    return test_main("bitmap", tests);
}
