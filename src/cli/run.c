/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc run: starts a program on the library. The command becomes the program: its process
 * id, its exit status and what it reads and writes are those of the program. */
#include "commands.h"

#include "program.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: poolmalloc run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "Starts PROGRAM with its memory from the pool.\n\n"
    "  -s, --stats[=FORMAT[:FILE]]  print statistics at the end: text, json or prometheus\n"
    "  -i, --interval=SECONDS       print them every so often, too\n"
    "  -o, --option=KEY:VALUE       set an option, see poolmalloc.conf(5); may be repeated\n"
    "  -l, --library=FILE           preload this library\n";

static const struct option options[] = {
    {"stats", optional_argument, NULL, 's'},  {"interval", required_argument, NULL, 'i'},
    {"option", required_argument, NULL, 'o'}, {"library", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

/* value: of an option that has one. */
static void set_variable(const char *name, const char *value)
{
    if (value != NULL) {
        setenv(name, value, 1);
    }
}

/* Options given here come last in POOLMALLOC_CONF, where the last one counts. */
static void add_option(const char *option)
{
    char value[4096];
    if (option == NULL || strchr(option, ':') == NULL) {
        die(EXIT_USAGE, "run: an option is KEY:VALUE");
    }
    const char *before = getenv("POOLMALLOC_CONF");
    bool has_before = before != NULL && before[0] != '\0';
    int length = snprintf(value, sizeof(value), "%s%s%s", has_before ? before : "",
                          has_before ? "," : "", option);
    if (length >= (int)sizeof(value)) {
        die(EXIT_USAGE, "run: the options are too long");
    }
    setenv("POOLMALLOC_CONF", value, 1);
}

/* Returns the path of the library, NULL: the one beside the command. */
static const char *parse_options(int argc, char **argv)
{
    const char *library = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "+s::i:o:l:h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            set_variable("POOLMALLOC_STATS", optarg == NULL ? "1" : optarg);
            break;
        case 'i':
            set_variable("POOLMALLOC_STATS_INTERVAL", optarg);
            break;
        case 'o':
            add_option(optarg);
            break;
        case 'l':
            library = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            die(EXIT_USAGE, "try 'poolmalloc run --help'");
        }
    }
    return library;
}

int command_run(int argc, char **argv)
{
    char library[PATH_MAX];
    char program[PATH_MAX];
    library_find(parse_options(argc, argv), library);
    if (optind == argc) {
        die(EXIT_USAGE, "run: no program given");
    }
    program_find(argv[optind], library, program);
    library_preload(library);
    execvp(argv[optind], argv + optind);
    die(EXIT_CANNOT_RUN, "%s: %s", argv[optind], strerror(errno));
}
