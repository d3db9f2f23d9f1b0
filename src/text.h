/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded text under construction, for lines written where printf may not be called: it never
 * allocates, takes no locale, and cuts what does not fit. */
#ifndef POOLMALLOC_TEXT_H
#define POOLMALLOC_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *start;
    size_t length;   /* bytes written, without a terminator */
    size_t capacity; /* bytes at start */
};

static inline struct text text_over(char *start, size_t capacity)
{
    return (struct text){.start = start, .capacity = capacity};
}

void text_char(struct text *text, char character);
void text_string(struct text *text, const char *string);
void text_span(struct text *text, const char *start, size_t length);
void text_number(struct text *text, uint64_t number);
void text_number_padded(struct text *text, uint64_t number, unsigned width);
void text_string_padded(struct text *text, const char *string, unsigned width);
void text_hex(struct text *text, uint64_t number);
/* "1.5 MiB": three or four digits and a binary unit. */
void text_bytes(struct text *text, uint64_t bytes);
/* part of whole as "12.3" (percent); 0.0 when whole is 0. */
void text_percent(struct text *text, uint64_t part, uint64_t whole);
/* Pads with spaces up to a column of the current line, so that tables stand straight. */
void text_column(struct text *text, size_t line_start, unsigned column);

#endif
