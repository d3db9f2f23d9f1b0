/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions that look at the allocator and steer it. */
#include "poolmalloc.h"

#include "config.h"
#include "limit.h"
#include "panic.h"
#include "pool.h"
#include "purge.h"
#include "stats_report.h"
#include "tcache.h"

#include <errno.h>

/* ---- Statistics -------------------------------------------------------------------------- */

/* The number that starts here, and where it ends; CLASS_COUNT or more means nothing to anybody. */
static uint64_t parse_number(const char *at, const char **end)
{
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9' && number < CHUNK_BYTES; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *end = at;
    return number;
}

/* "48" or "huge" -> class; CLASS_NONE: no class has this size. */
static unsigned parse_class(const char *at, const char **end)
{
    static const char huge[] = "huge";
    if (strncmp(at, huge, strlen(huge)) == 0) {
        *end = at + strlen(huge);
        return CLASS_HUGE;
    }
    uint64_t bytes = parse_number(at, end);
    unsigned class = size_class_of(bytes);
    return class != CLASS_HUGE && size_class_bytes(class) == bytes ? class : CLASS_NONE;
}

/* The row that a name means, and the object that it is to be read from. NULL: none. */
static const struct stat_row *find_row(const struct stats *stats, const char *name,
                                       const void **object)
{
    static const char class_prefix[] = "class.";
    static const char arena_prefix[] = "arena.";
    const struct stat_row *table = stat_rows;
    const char *field = name;
    *object = &stats->totals;
    if (strncmp(name, class_prefix, strlen(class_prefix)) == 0) {
        unsigned class = parse_class(name + strlen(class_prefix), &field);
        *object = &stats->classes[class];
        table = class == CLASS_NONE || *field++ != '.' ? NULL : stat_class_rows;
    } else if (strncmp(name, arena_prefix, strlen(arena_prefix)) == 0) {
        uint64_t index = parse_number(name + strlen(arena_prefix), &field);
        *object = &stats->arenas[index % ARENA_MAX_COUNT];
        table = index >= stats->totals.arenas || *field++ != '.' ? NULL : stat_arena_rows;
    }
    return table == NULL ? NULL : stat_find(table, field);
}

PUBLIC bool pm_stat_get(const char *name, uint64_t *value)
{
    const struct stats *stats = stats_acquire();
    const void *object;
    const struct stat_row *row = find_row(stats, name, &object);
    if (row != NULL) {
        *value = stat_value(object, row);
    }
    stats_release();
    return row != NULL;
}

PUBLIC const char *pm_stat_name(size_t index, const char **help)
{
    for (size_t i = 0; stat_rows[i].name != NULL; i++) {
        if (i == index) {
            if (help != NULL) {
                *help = stat_rows[i].help;
            }
            return stat_rows[i].name;
        }
    }
    return NULL;
}

PUBLIC bool pm_dump(const char *request)
{
    struct stats_request wanted;
    if (!stats_request_parse(request, &wanted)) {
        errno = EINVAL;
        return false;
    }
    return stats_report_write(&wanted);
}

/* ---- Options ----------------------------------------------------------------------------- */

/* What is read anew at each use. */
static const char *const changeable[] = {
    "decay_ms", "cache_bytes", "cached_max", "limit_bytes", "foreign", "stats_interval",
};

static bool is_changeable(const char *key)
{
    for (size_t i = 0; i < sizeof(changeable) / sizeof(changeable[0]); i++) {
        if (strcmp(changeable[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* The index for config_print; false: no option has this key. */
static bool find_option(const char *key, unsigned *index)
{
    for (unsigned i = 0; config_key(i) != NULL; i++) {
        if (strcmp(config_key(i), key) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

PUBLIC bool pm_option_get(const char *key, char *value, size_t bytes)
{
    unsigned index;
    config_load();
    if (bytes == 0 || !find_option(key, &index)) {
        errno = EINVAL;
        return false;
    }
    struct text text = text_over(value, bytes - 1);
    config_print(&text, index);
    value[text.length] = '\0';
    return true;
}

PUBLIC bool pm_option_set(const char *key, const char *value)
{
    unsigned index;
    config_load();
    if (!find_option(key, &index)) {
        errno = EINVAL;
        return false;
    }
    if (!is_changeable(key)) {
        errno = EPERM;
        return false;
    }
    if (config_set(key, value) != NULL) {
        errno = EINVAL;
        return false;
    }
    return true;
}

/* ---- Control ----------------------------------------------------------------------------- */

PUBLIC bool pm_trim(void)
{
    pool_drain_all();
    tcache_flush();
    return purge_all();
}

PUBLIC void pm_on_pressure(void (*on_pressure)(uint64_t resident_bytes, uint64_t limit_bytes))
{
    limit_set_callback(on_pressure);
}

PUBLIC void pm_message_hook(void (*hook)(const char *line))
{
    atomic_store_explicit(&panic_line_hook, hook, memory_order_relaxed);
}
