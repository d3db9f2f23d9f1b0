/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void say_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void say_list(const char *format, va_list arguments)
{
    fflush(stdout);
    fputs("poolmalloc: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
}

void die(enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
    exit((int)status);
}

/* Divides by `step` until at most four characters before the unit are needed. */
static struct shown show_scaled(double amount, double step, const char *const *units)
{
    struct shown shown;
    unsigned unit = 0;
    while (amount >= 999.5 && units[unit + 1] != NULL) {
        amount /= step;
        unit++;
    }
    int decimals = unit == 0 || amount >= 99.95 ? 0 : 1;
    snprintf(shown.text, sizeof(shown.text), "%.*f%s", decimals, amount, units[unit]);
    return shown;
}

struct shown show_bytes(uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    return show_scaled((double)bytes, 1024, units);
}

struct shown show_count(double count)
{
    static const char *const units[] = {"", " k", " M", " G", " T", NULL};
    return show_scaled(count, 1000, units);
}

bool wants_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

void put_html(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void put_json(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter < ' ' || strchr("\"\\<&", letter) != NULL) {
            fprintf(out, "\\u%04x", letter);
        } else {
            fputc(letter, out);
        }
    }
    fputc('"', out);
}
