/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options, from POOLMALLOC_CONF="key:value,key:value" and POOLMALLOC_<KEY>, parsed once.
 *
 * A bad value or an unknown key is reported in one line with the whole string and the nearest key,
 * and the default stays. The environment is ignored in processes with raised privileges. */
#ifndef POOLMALLOC_CONFIG_H
#define POOLMALLOC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct text;

enum foreign_policy { FOREIGN_ABORT, FOREIGN_IGNORE };
enum background_thread { BACKGROUND_OFF, BACKGROUND_ON, BACKGROUND_AUTO };
enum limit_source { LIMIT_NONE, LIMIT_CGROUP };

#define DECAY_NEVER UINT64_MAX

/* Every field is a uint64_t, so that one table can fill them. */
struct config {
    uint64_t decay_ms;          /* DECAY_NEVER: pages stay */
    uint64_t cache_bytes;       /* least budget of all thread caches and depots */
    uint64_t cached_max;        /* largest block that is cached; changes at run time */
    uint64_t arenas;            /* 0: by CPUs */
    uint64_t limit_bytes;       /* 0: none */
    uint64_t limit;             /* enum limit_source */
    uint64_t background_thread; /* enum background_thread */
    uint64_t huge_pages;        /* dense heaps ask for them */
    uint64_t foreign;           /* enum foreign_policy */
    uint64_t check;             /* every free goes to the bitmaps at once */
    uint64_t leak;              /* pm_leak_level at the start */
    uint64_t stats_interval;    /* seconds between reports; 0: at exit only */
    uint64_t stats_signal;      /* number of the signal that asks for a report; 0: none */
    uint64_t confirm_conf;
    uint64_t abort_conf;
};

extern struct config config;

/* Reads the environment once it is there; later calls do nothing. */
void config_load(void);

/* Sets one option from text, as the environment would. NULL: done, else what is wrong with it. */
const char *config_set(const char *key, const char *value);

/* The options in order, for printing: NULL past the last one. */
const char *config_key(unsigned index);
uint64_t config_value(unsigned index);
/* The value as config_set would take it. */
void config_print(struct text *text, unsigned index);

#endif
