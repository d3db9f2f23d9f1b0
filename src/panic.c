/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "panic.h"

#include "os.h"
#include "text.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 320 };

static void say(struct text *line)
{
    if (line->length == line->capacity) {
        line->length--;
    }
    text_char(line, '\n');
    os_write(STDERR_FILENO, line->start, line->length);
}

void panic_at(const char *what, const void *address, size_t detail_bytes, const char *detail)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space));
    text_string(&line, "poolmalloc: fatal: ");
    text_string(&line, what);
    text_string(&line, ": ");
    text_hex(&line, (size_t)address);
    if (detail != NULL) {
        text_string(&line, ", ");
        if (detail_bytes != 0) {
            text_number(&line, detail_bytes);
        }
        text_string(&line, detail);
    }
    say(&line);
    abort();
}

void panic(const char *what)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space));
    text_string(&line, "poolmalloc: fatal: ");
    text_string(&line, what);
    say(&line);
    abort();
}

void warn(const char *what)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space));
    text_string(&line, "poolmalloc: warning: ");
    text_string(&line, what);
    say(&line);
}

void warn_at(const char *what, const void *address)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space));
    text_string(&line, "poolmalloc: warning: ");
    text_string(&line, what);
    text_string(&line, ": ");
    text_hex(&line, (size_t)address);
    say(&line);
}

void assert_failed(const char *expression, const char *file, int line_number)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space));
    text_string(&line, "poolmalloc: assertion failed: ");
    text_string(&line, expression);
    text_string(&line, " at ");
    text_string(&line, file);
    text_char(&line, ':');
    text_number(&line, (unsigned)line_number);
    say(&line);
    abort();
}
