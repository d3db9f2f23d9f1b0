/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "compiler.h"
#include "os.h"
#include "panic.h"
#include "text.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

struct config config = {
    .decay_ms = 1000,
    .cache_bytes = 4 << 20,
    .cached_max = 64 << 10,
    .background_thread = BACKGROUND_AUTO,
};

enum value_kind { VALUE_NUMBER, VALUE_BYTES, VALUE_MS, VALUE_NAME };

/* No pointers: the dynamic loader would write to their page in every process. */
struct option {
    char key[20];
    uint16_t offset;  /* in struct config */
    uint16_t kind;    /* enum value_kind */
    uint64_t most;    /* largest number taken */
    char names[4][9]; /* VALUE_NAME: the value is the index; names past `most` begin anew */
};

#define OPTION(key, kind, most, ...)                                                               \
    {                                                                                              \
#key, offsetof(struct config, key), kind, most,                                            \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define SWITCH(key) OPTION(key, VALUE_NAME, 1, "false", "true", "0", "1")

static const struct option options[] = {
    OPTION(decay_ms, VALUE_MS, 86400000, ""),
    OPTION(cache_bytes, VALUE_BYTES, UINT64_MAX, ""),
    OPTION(cached_max, VALUE_BYTES, 16 << 20, ""),
    OPTION(arenas, VALUE_NUMBER, 256, ""),
    OPTION(limit_bytes, VALUE_BYTES, UINT64_MAX, ""),
    OPTION(limit, VALUE_NAME, 1, "none", "cgroup"),
    OPTION(background_thread, VALUE_NAME, 2, "off", "on", "auto"),
    SWITCH(huge_pages),
    OPTION(foreign, VALUE_NAME, 1, "abort", "ignore"),
    SWITCH(check),
    OPTION(leak, VALUE_NAME, 3, "disabled", "simple", "advanced", "paranoid"),
    OPTION(stats_interval, VALUE_NUMBER, 31536000, ""),
    OPTION(stats_signal, VALUE_NUMBER, 64, ""),
    SWITCH(confirm_conf),
    SWITCH(abort_conf),
};

enum {
    OPTION_COUNT = sizeof(options) / sizeof(options[0]),
    KEY_MAX_BYTES = 32,
    VALUE_MAX_BYTES = 32,
    MESSAGE_BYTES = 400,
};

const char *config_key(unsigned index)
{
    return index < OPTION_COUNT ? options[index].key : NULL;
}

static uint64_t *value_of(const struct option *option)
{
    return (uint64_t *)((char *)&config + option->offset);
}

uint64_t config_value(unsigned index)
{
    return *value_of(&options[index]);
}

static const struct option *find_option(const char *key)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].key, key) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* Digits and a unit: K M G T for bytes, none or "ms" for times. false: not a number. */
static bool parse_number(const struct option *option, const char *value, uint64_t *number)
{
    static const char units[] = "KkMmGgTt";
    const char *at = value;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    if (at == value) {
        return false;
    }
    if (option->kind == VALUE_MS && strcmp(at, "ms") == 0) {
        at += 2;
    }
    const char *unit = memchr(units, *at, sizeof(units) - 1);
    if (option->kind == VALUE_BYTES && unit != NULL) {
        unsigned shift = 10 * (unsigned)((unit - units) / 2 + 1);
        if (*number > UINT64_MAX >> shift) {
            return false;
        }
        *number <<= shift;
        at++;
    }
    return *at == '\0' && *number <= option->most;
}

static bool parse_name(const struct option *option, const char *value, uint64_t *number)
{
    for (unsigned i = 0; i < 4 && option->names[i][0] != '\0'; i++) {
        if (strcmp(option->names[i], value) == 0) {
            *number = i % (option->most + 1);
            return true;
        }
    }
    return false;
}

const char *config_set(const char *key, const char *value)
{
    const struct option *option = find_option(key);
    uint64_t number = 0;
    if (option == NULL) {
        return "unknown option";
    }
    if (option->kind == VALUE_MS && strcmp(value, "never") == 0) {
        number = DECAY_NEVER;
    } else if (option->kind == VALUE_NAME ? !parse_name(option, value, &number)
                                          : !parse_number(option, value, &number)) {
        return "bad value for option";
    }
    *value_of(option) = number;
    return NULL;
}

/* Levenshtein's distance of two keys, one row at a time. */
static unsigned distance(const char *left, const char *right)
{
    unsigned row[KEY_MAX_BYTES + 1];
    unsigned columns = (unsigned)strnlen(right, KEY_MAX_BYTES);
    for (unsigned j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (unsigned i = 0; left[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned j = 0; j < columns; j++) {
            unsigned best = diagonal + (left[i] != right[j]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j + 1] + 1 < best ? row[j + 1] + 1 : best;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[columns];
}

static const char *nearest_key(const char *key)
{
    const char *nearest = options[0].key;
    for (unsigned i = 1; i < OPTION_COUNT; i++) {
        if (distance(options[i].key, key) < distance(nearest, key)) {
            nearest = options[i].key;
        }
    }
    return nearest;
}

static void quote(struct text *text, const char *string)
{
    text_char(text, '"');
    text_string(text, string);
    text_char(text, '"');
}

/* variable="whole": what "key:value" [did you mean "nearest"?] */
static void report(const char *what, const char *key, const char *variable, const char *whole)
{
    char space[MESSAGE_BYTES];
    struct text text = text_over(space, sizeof(space) - 1);
    text_string(&text, what);
    text_char(&text, ' ');
    quote(&text, key);
    if (find_option(key) == NULL) {
        text_string(&text, ", did you mean ");
        quote(&text, nearest_key(key));
        text_char(&text, '?');
    }
    text_string(&text, " in ");
    text_string(&text, variable);
    text_char(&text, '=');
    quote(&text, whole);
    space[text.length] = '\0';
    if (config.abort_conf) {
        panic(space);
    }
    warn(space);
}

/* Bytes of a straight or typographic quotation mark at `at`, 0 if there is none. */
static size_t quote_bytes(const char *at)
{
    static const char *const marks[] = {
        "\"", "'", "\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x98", "\xe2\x80\x99"};
    for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t bytes = strlen(marks[i]);
        if (strncmp(at, marks[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}

/* Copies up to one of `ends` or the end of text, without quotes and blanks. Returns where it
 * stopped; what does not fit is cut, and no key or value is that long. */
static const char *copy_word(const char *from, const char *ends, char *word, size_t capacity)
{
    size_t length = 0;
    while (*from != '\0' && strchr(ends, *from) == NULL) {
        size_t skip = *from == ' ' ? 1 : quote_bytes(from);
        if (skip == 0 && length + 1 < capacity) {
            word[length++] = *from;
        }
        from += skip == 0 ? 1 : skip;
    }
    word[length] = '\0';
    return from;
}

static void load_string(const char *variable, const char *whole)
{
    const char *at = whole;
    while (*at != '\0') {
        char key[KEY_MAX_BYTES];
        char value[VALUE_MAX_BYTES];
        at = copy_word(at, ":=,", key, sizeof(key));
        at += *at == ':' || *at == '=';
        at = copy_word(at, ",", value, sizeof(value));
        at += *at == ',';
        const char *problem = key[0] == '\0' ? NULL : config_set(key, value);
        if (problem != NULL) {
            report(problem, key, variable, whole);
        }
    }
}

static void load_variables(void)
{
    static const char prefix[] = "POOLMALLOC_";
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        char name[sizeof(prefix) + KEY_MAX_BYTES];
        memcpy(name, prefix, sizeof(prefix));
        for (size_t j = 0; j <= strlen(options[i].key); j++) {
            char letter = options[i].key[j];
            name[sizeof(prefix) - 1 + j] =
                (char)(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
        }
        const char *value = os_environment(name);
        char word[VALUE_MAX_BYTES] = "";
        if (value == NULL) {
            continue;
        }
        copy_word(value, "", word, sizeof(word));
        const char *problem = config_set(options[i].key, word);
        if (problem != NULL) {
            report(problem, options[i].key, name, value);
        }
    }
}

void config_print(struct text *text, unsigned index)
{
    const struct option *option = &options[index];
    uint64_t value = *value_of(option);
    if (option->kind == VALUE_NAME) {
        text_string(text, option->names[value]);
    } else if (value == DECAY_NEVER) {
        text_string(text, "never");
    } else {
        text_number(text, value);
    }
}

static void confirm(void)
{
    char space[MESSAGE_BYTES];
    struct text text = text_over(space, sizeof(space) - 1);
    text_string(&text, "poolmalloc: options:");
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        text_string(&text, i == 0 ? " " : ",");
        text_string(&text, options[i].key);
        text_char(&text, ':');
        config_print(&text, i);
    }
    text_char(&text, '\n');
    os_write(2, space, text.length);
}

void config_load(void)
{
    static _Atomic bool is_loaded;
    if (!os_environment_is_ready() || atomic_exchange(&is_loaded, true)) {
        return;
    }
    load_variables();
    const char *conf = os_environment("POOLMALLOC_CONF");
    if (conf != NULL) {
        load_string("POOLMALLOC_CONF", conf);
    }
    if (config.confirm_conf) {
        confirm();
    }
}
