/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bits.h: every function against its plain definition, for all small values and around every power
 * of two. */
#include "bits.h"

#include "test.h"

enum { SMALL_VALUES = 4096 };

static unsigned plain_log2_floor(size_t value)
{
    unsigned log2 = 0;
    while (value > 1) {
        value /= 2;
        log2++;
    }
    return log2;
}

static bool value_is_right(size_t value)
{
    unsigned floor = plain_log2_floor(value);
    bool is_power = value == (size_t)1 << floor;
    return log2_floor(value) == floor && is_power_of_two(value) == is_power &&
           log2_ceil(value) == floor + !is_power;
}

static void logarithms_and_powers(void)
{
    unsigned wrong = 0;
    for (size_t value = 1; value < SMALL_VALUES; value++) {
        wrong += !value_is_right(value);
    }
    for (unsigned log2 = 2; log2 < 63; log2++) {
        size_t power = (size_t)1 << log2;
        for (size_t value = power - 1; value <= power + 1; value++) {
            wrong += !value_is_right(value);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_FALSE(is_power_of_two(0));
    CU_ASSERT_EQUAL(log2_ceil(0), 0);
    CU_ASSERT_EQUAL(log2_floor(SIZE_MAX), 63);
}

static void rounding_to_a_power_of_two(void)
{
    unsigned wrong = 0;
    for (size_t alignment = 1; alignment <= SMALL_VALUES; alignment *= 2) {
        for (size_t value = 0; value < SMALL_VALUES; value++) {
            wrong += align_down(value, alignment) != value / alignment * alignment;
            wrong += align_up(value, alignment) != (value + alignment - 1) / alignment * alignment;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(align_up(SIZE_MAX - 15, 16), SIZE_MAX - 15);
}

static void words(void)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        CU_ASSERT_EQUAL(lowest_set_bit(UINT64_C(1) << bit), bit);
        CU_ASSERT_EQUAL(lowest_set_bit(~UINT64_C(0) << bit), bit);
        CU_ASSERT_EQUAL(lowest_bits(bit), (UINT64_C(1) << bit) - 1);
        CU_ASSERT_EQUAL(count_set_bits(lowest_bits(bit)), bit);
        CU_ASSERT_EQUAL(count_set_bits(~UINT64_C(0) << bit), 64 - bit);
    }
    CU_ASSERT_EQUAL(count_set_bits(UINT64_C(0x8100000000000081)), 4);
    CU_ASSERT_EQUAL(lowest_bits(64), ~UINT64_C(0));
    CU_ASSERT_EQUAL(lowest_bits(200), ~UINT64_C(0));
}

static const struct test tests[] = {
    {"logarithms and powers of two", logarithms_and_powers},
    {"rounding up and down", rounding_to_a_power_of_two},
    {"bits of a word", words},
    {NULL, NULL},
};

int main(void)
{
    return test_main("bits", tests);
}
