/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc stats: the report that POOLMALLOC_STATS prints, of a process that runs on. */
#include "commands.h"

#include "say.h"
#include "view.h"

#include "stats_print.h"

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "usage: poolmalloc stats [OPTION]... PID\n"
    "Prints the statistics of a running process, as POOLMALLOC_STATS=1 does at its end.\n\n"
    "  -s, --short               the waterfall alone: ten rows that add up\n"
    "  -f, --format=FORMAT       text, json, prometheus or openmetrics\n";

static const struct option options[] = {
    {"short", no_argument, NULL, 's'},
    {"format", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *const format_names[] = {
    [STATS_TEXT] = "text",
    [STATS_JSON] = "json",
    [STATS_PROMETHEUS] = "prometheus",
    [STATS_OPENMETRICS] = "openmetrics",
};

static void write_out(struct sink *sink, const char *start, size_t length)
{
    fwrite(start, 1, length, sink->target);
}

static enum stats_format format_named(const char *name)
{
    for (unsigned i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++) {
        if (strcmp(format_names[i], name) == 0) {
            return (enum stats_format)i;
        }
    }
    die(EXIT_USAGE, "stats: no format \"%s\"", name);
}

int command_stats(int argc, char **argv)
{
    static struct view view;
    struct sink sink = {.write = write_out, .target = stdout};
    enum stats_format format = STATS_TEXT;
    bool is_short = false;
    int option;
    while ((option = getopt_long(argc, argv, "sf:h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            is_short = true;
            break;
        case 'f':
            format = format_named(optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            die(EXIT_USAGE, "try 'poolmalloc stats --help'");
        }
    }
    if (optind + 1 != argc) {
        die(EXIT_USAGE, "usage: poolmalloc stats [OPTION]... PID");
    }
    view_open(&view, "stats", argv[optind]);
    view_update(&view);
    sink_init(&sink);
    if (is_short) {
        stats_print_waterfall(&sink, &view.stats);
    } else {
        stats_print(&sink, &view.stats, format);
    }
    sink_flush(&sink);
    return EXIT_SUCCESS;
}
