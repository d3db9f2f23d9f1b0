/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does growing cost?
 *     double  vectors that double from 16 bytes to MAX_BYTES and are freed
 *     append  strings that grow by 16 to 64 bytes at a time to MAX_BYTES, four side by side so that
 *             they stand in each other's way
 *     extend  one buffer that grows by 64 KiB at a time to MAX_BYTES, as a file being read
 * The new part is touched, a word per 4 KiB. Operation: one realloc.
 */
#include "bench.h"

#include <string.h>

static const char usage[] = "usage: grow double|append|extend MAX_BYTES REALLOCS";

enum { STRINGS = 4, EXTENT_BYTES = 64 * 1024 };

struct string {
    char *text;
    size_t bytes; /* a multiple of 8 */
};

static void grow_to(struct string *string, size_t bytes)
{
    string->text = realloc(string->text, bytes);
    touch_pages(string->text + string->bytes, bytes - string->bytes);
    string->bytes = bytes;
}

static void drop(struct string *string)
{
    free(string->text);
    *string = (struct string){0};
}

static uint64_t doubling(size_t max_bytes)
{
    struct string vector = {0};
    uint64_t reallocs = 0;
    for (size_t bytes = 16; bytes <= max_bytes; bytes *= 2, reallocs++)
        grow_to(&vector, bytes);
    drop(&vector);
    return reallocs;
}

static uint64_t appending(size_t max_bytes)
{
    struct string strings[STRINGS] = {0};
    struct rng rng = rng_seeded(max_bytes);
    uint64_t reallocs = 0;
    while (strings[0].bytes < max_bytes)
        for (unsigned i = 0; i < STRINGS; i++, reallocs++)
            grow_to(&strings[i], strings[i].bytes + 16 + 8 * rng_below(&rng, 7));
    for (unsigned i = 0; i < STRINGS; i++)
        drop(&strings[i]);
    return reallocs;
}

static uint64_t extending(size_t max_bytes)
{
    struct string buffer = {0};
    uint64_t reallocs = 0;
    for (size_t bytes = EXTENT_BYTES; bytes <= max_bytes; bytes += EXTENT_BYTES, reallocs++)
        grow_to(&buffer, bytes);
    drop(&buffer);
    return reallocs;
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *mode = argument(argv, 1, usage);
    size_t max_bytes = argument_number(argv, 2, usage);
    uint64_t wanted = argument_number(argv, 3, usage);
    uint64_t (*grow)(size_t) = strcmp(mode, "double") == 0   ? doubling
                               : strcmp(mode, "append") == 0 ? appending
                                                             : extending;
    grow(max_bytes);
    uint64_t reallocs = 0;
    uint64_t start_ns = cpu_ns();
    while (reallocs < wanted)
        reallocs += grow(max_bytes);
    report_time(argv, reallocs, cpu_ns() - start_ns);
    return 0;
}
