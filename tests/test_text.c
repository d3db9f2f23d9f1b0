/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h: what each function writes, and that a text never passes its capacity. */
#include "text.h"

#include "random.h"
#include "test.h"

#include <inttypes.h>

enum { CAPACITY = 128 };

static char space[CAPACITY + 1];

static struct text fresh(void)
{
    memset(space, 0, sizeof(space));
    return text_over(space, CAPACITY);
}

static void numbers_as_printf_writes_them(void)
{
    struct random random = random_from(1);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t number = random_next(&random) >> random_below(&random, 64);
        unsigned width = random_below(&random, 30);
        char expected[CAPACITY];
        struct text text = fresh();
        text_number(&text, number);
        text_char(&text, '|');
        text_number_padded(&text, number, width);
        text_char(&text, '|');
        text_hex(&text, number);
        int length = snprintf(expected, sizeof(expected), "%" PRIu64 "|%*" PRIu64 "|0x%" PRIx64,
                              number, (int)width, number, number);
        CU_ASSERT_STRING_EQUAL(space, expected);
        CU_ASSERT_EQUAL(text.length, (size_t)length);
    }
}

static void extreme_numbers(void)
{
    struct text text = fresh();
    text_number(&text, 0);
    text_hex(&text, 0);
    text_number(&text, UINT64_MAX);
    text_hex(&text, UINT64_MAX);
    CU_ASSERT_STRING_EQUAL(space, "00x0184467440737095516150xffffffffffffffff");
}

struct bytes_case {
    uint64_t bytes;
    const char *text;
};

static void bytes_with_units(void)
{
    static const struct bytes_case cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {(1 << 20) - 1, "1023.9 KiB"},
        {1 << 20, "1.0 MiB"},
        {UINT64_C(5) << 30, "5.0 GiB"},
        {UINT64_C(5) << 40, "5.0 TiB"},
        {UINT64_C(5) << 50, "5.0 PiB"},
        {UINT64_MAX, "15.9 EiB"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = fresh();
        text_bytes(&text, cases[i].bytes);
        CU_ASSERT_STRING_EQUAL(space, cases[i].text);
    }
}

static void percents(void)
{
    struct text text = fresh();
    text_percent(&text, 1, 3);
    text_char(&text, ' ');
    text_percent(&text, 5, 5);
    text_char(&text, ' ');
    text_percent(&text, 5, 0);
    CU_ASSERT_STRING_EQUAL(space, "33.3 100.0 0.0");
}

static void columns(void)
{
    struct text text = fresh();
    text_string(&text, "line\n");
    size_t line_start = text.length;
    text_string(&text, "ab");
    text_column(&text, line_start, 5);
    text_string_padded(&text, "xy", 4);
    text_column(&text, line_start, 3);
    text_string_padded(&text, "long", 2);
    CU_ASSERT_STRING_EQUAL(space, "line\nab     xylong");
}

static void what_does_not_fit_is_cut(void)
{
    for (size_t capacity = 0; capacity <= 12; capacity++) {
        memset(space, '.', sizeof(space));
        struct text text = text_over(space, capacity);
        text_string(&text, "12345");
        text_number_padded(&text, 678, 5);
        text_span(&text, "90", 2);
        CU_ASSERT_EQUAL(text.length, capacity);
        CU_ASSERT_NSTRING_EQUAL(space, "12345  67890", capacity);
        CU_ASSERT_EQUAL(space[capacity], '.');
    }
}

static const struct test tests[] = {
    {"numbers as printf writes them", numbers_as_printf_writes_them},
    {"extreme numbers", extreme_numbers},
    {"bytes with units", bytes_with_units},
    {"percents", percents},
    {"columns", columns},
    {"what does not fit is cut", what_does_not_fit_is_cut},
    {NULL, NULL},
};

int main(void)
{
    return test_main("text", tests);
}
