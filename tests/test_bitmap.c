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

static unsigned model_find_zeros(const bool *model, unsigned bits, unsigned count)
{
    for (unsigned first = 0; first + count <= bits; first++) {
        if (model_find(model, true, first, first + count) == first + count) {
            return first;
        }
    }
    return bits;
}

static unsigned model_zeros_before(const bool *model, unsigned from)
{
    while (from > 0 && !model[from - 1]) {
        from--;
    }
    return from;
}

/* Long rows too. */
static void finds_zeros_in_a_row(void)
{
    enum { WHOLE_BITS = BITS - 1 };
    struct random random = random_from(3);
    struct both both;
    unsigned wrong = 0;
    for (unsigned round = 0; round < 300; round++) {
        fill(&both, &random, round % 4);
        for (unsigned i = 0; i < round % 7; i++) {
            unsigned from = random_below(&random, BITS);
            unsigned end = random_between(&random, from, BITS);
            memset(both.model + from, 0, end - from);
            bitmap_clear(words_of(&both), from, end);
        }
        for (unsigned count = 1; count <= WHOLE_BITS; count++) {
            wrong += bitmap_find_zeros(words_of(&both), WHOLE_BITS, count) !=
                     model_find_zeros(both.model, WHOLE_BITS, count);
        }
        for (unsigned from = 0; from <= BITS; from++) {
            wrong +=
                bitmap_zeros_before(words_of(&both), from) != model_zeros_before(both.model, from);
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
    {"zeros in a row", finds_zeros_in_a_row},
    {"set and clear change their range and nothing else", changes_every_range},
    {NULL, NULL},
};

int main(void)
{
    return test_main("bitmap", tests);
}
