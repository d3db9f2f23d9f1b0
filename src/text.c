/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <string.h>

enum { DECIMAL_DIGITS = 20, HEX_DIGITS = 16, PER_MILLE = 1000 };

void text_span(struct text *text, const char *start, size_t length)
{
    size_t room = text->capacity - text->length;
    size_t taken = length < room ? length : room;
    memcpy(text->start + text->length, start, taken);
    text->length += taken;
}

void text_char(struct text *text, char character)
{
    text_span(text, &character, 1);
}

void text_string(struct text *text, const char *string)
{
    text_span(text, string, strlen(string));
}

static void text_spaces(struct text *text, size_t count)
{
    while (count-- > 0) {
        text_char(text, ' ');
    }
}

static size_t digits_of(uint64_t number, unsigned base, char digits[DECIMAL_DIGITS])
{
    size_t count = 0;
    do {
        digits[DECIMAL_DIGITS - ++count] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    return count;
}

void text_number_padded(struct text *text, uint64_t number, unsigned width)
{
    char digits[DECIMAL_DIGITS];
    size_t count = digits_of(number, 10, digits);
    text_spaces(text, width > count ? width - count : 0);
    text_span(text, digits + DECIMAL_DIGITS - count, count);
}

void text_number(struct text *text, uint64_t number)
{
    text_number_padded(text, number, 0);
}

void text_string_padded(struct text *text, const char *string, unsigned width)
{
    size_t length = strlen(string);
    text_spaces(text, width > length ? width - length : 0);
    text_span(text, string, length);
}

void text_hex(struct text *text, uint64_t number)
{
    char digits[DECIMAL_DIGITS];
    size_t count = digits_of(number, 16, digits);
    text_string(text, "0x");
    text_span(text, digits + DECIMAL_DIGITS - count, count);
}

static void text_tenths(struct text *text, uint64_t tenths)
{
    text_number(text, tenths / 10);
    text_char(text, '.');
    text_number(text, tenths % 10);
}

void text_bytes(struct text *text, uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    unsigned unit = 0;
    uint64_t scale = 1;
    while (bytes / scale >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        scale *= 1024;
        unit++;
    }
    if (unit == 0) {
        text_number(text, bytes);
    } else {
        text_tenths(text, bytes / scale * 10 + bytes % scale * 10 / scale);
    }
    text_string(text, units[unit]);
}

void text_percent(struct text *text, uint64_t part, uint64_t whole)
{
    text_tenths(text, whole == 0 ? 0 : part * PER_MILLE / whole);
}

void text_column(struct text *text, size_t line_start, unsigned column)
{
    size_t reached = text->length - line_start;
    text_spaces(text, column > reached ? column - reached : 0);
}
