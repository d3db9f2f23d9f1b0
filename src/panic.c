/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "panic.h"

#include "os.h"
#include "text.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 320 };

_Atomic(panic_hook) panic_line_hook;

enum severity { WARNING, FATAL };

/* line: has room for one more byte than its capacity says. */
static void say(struct text *line, enum severity severity)
{
    panic_hook hook = atomic_load_explicit(&panic_line_hook, memory_order_relaxed);
    if (hook == NULL || severity == FATAL) {
        line->start[line->length] = '\n';
        os_write(STDERR_FILENO, line->start, line->length + 1);
    }
    if (hook != NULL) {
        line->start[line->length] = '\0';
        hook(line->start);
    }
}

void panic_at(const char *what, const void *address, size_t detail_bytes, const char *detail)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
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
    say(&line, FATAL);
    abort();
}

void panic(const char *what)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
    text_string(&line, "poolmalloc: fatal: ");
    text_string(&line, what);
    say(&line, FATAL);
    abort();
}

void warn(const char *what)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
    text_string(&line, "poolmalloc: warning: ");
    text_string(&line, what);
    say(&line, WARNING);
}

void warn_at(const char *what, const void *address)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
    text_string(&line, "poolmalloc: warning: ");
    text_string(&line, what);
    text_string(&line, ": ");
    text_hex(&line, (size_t)address);
    say(&line, WARNING);
}

void assert_failed(const char *expression, const char *file, int line_number)
{
    char space[LINE_BYTES];
    struct text line = text_over(space, sizeof(space) - 1);
    text_string(&line, "poolmalloc: assertion failed: ");
    text_string(&line, expression);
    text_string(&line, " at ");
    text_string(&line, file);
    text_char(&line, ':');
    text_number(&line, (unsigned)line_number);
    say(&line, FATAL);
    abort();
}
