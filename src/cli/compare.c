/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc compare: the user's own program under every malloc of this machine. Runs go by turns,
 * and each round begins with another allocator, so that a slow moment of the machine meets all. */
#include "compare.h"

#include "commands.h"
#include "page.h"
#include "program.h"
#include "say.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS_DEFAULT = 5, RUNS_MAX = 1000 };

static const char help[] =
    "usage: poolmalloc compare [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "Runs PROGRAM under glibc's malloc, every other one found here and the pool, by turns.\n\n"
    "  -n, --runs=N              runs of each (5)\n"
    "      --html=FILE           also write a page with plots\n"
    "  -a, --allocator=NAME=LIB  compare this library, too; may be repeated\n"
    "      --only=NAME,NAME...   only these and the pool\n"
    "      --show-output         do not drop what PROGRAM prints\n"
    "  -l, --library=FILE        the pool's library\n"
    "PROGRAM reads an empty input, or from the start the file that is the command's input.\n";

static const struct option options[] = {
    {"runs", required_argument, NULL, 'n'},
    {"html", required_argument, NULL, 'w'},
    {"allocator", required_argument, NULL, 'a'},
    {"only", required_argument, NULL, 'y'},
    {"show-output", no_argument, NULL, 'o'},
    {"library", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* ---- Numbers ----------------------------------------------------------------------------- */

double run_value(const struct run *run, enum measured measured)
{
    switch (measured) {
    case MEASURED_WALL:
        return run->wall_seconds;
    case MEASURED_CPU:
        return run->cpu_seconds;
    case MEASURED_PEAK:
        return run->peak_bytes;
    default:
        return run->mean_bytes;
    }
}

static int by_value(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

/* Between two values where the place is not whole. */
static double quantile(const double *sorted, unsigned count, double part)
{
    double place = part * (count - 1);
    unsigned below = (unsigned)place;
    unsigned above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

struct spread spread_of(const struct comparison *comparison, unsigned allocator,
                        enum measured measured)
{
    double values[RUNS_MAX] = {0};
    unsigned count = comparison->run_count;
    for (unsigned i = 0; i < count; i++) {
        values[i] = run_value(&comparison->runs[allocator * count + i], measured);
    }
    qsort(values, count, sizeof(values[0]), by_value);
    return (struct spread){values[0], quantile(values, count, 0.25), quantile(values, count, 0.5),
                           quantile(values, count, 0.75), values[count - 1]};
}

/* ---- Table and verdict ------------------------------------------------------------------- */

static struct shown show_measured(double value, enum measured measured)
{
    if (measured == MEASURED_PEAK || measured == MEASURED_MEAN) {
        return show_bytes((uint64_t)value);
    }
    struct shown shown;
    if (value < 0.9995) {
        snprintf(shown.text, sizeof(shown.text), "%.*f ms", value < 0.0995 ? 1 : 0, value * 1e3);
    } else {
        snprintf(shown.text, sizeof(shown.text), "%.2f s", value);
    }
    return shown;
}

static void print_cell(const struct comparison *comparison, unsigned allocator,
                       enum measured measured)
{
    struct spread spread = spread_of(comparison, allocator, measured);
    struct spread first = spread_of(comparison, 0, measured);
    double half_range = spread.median > 0 ? (spread.most - spread.least) / 2 / spread.median : 0;
    char range[16] = "";
    char relative[16] = "";
    if (comparison->run_count > 1) {
        snprintf(range, sizeof(range), "+-%.0f%%", 100 * half_range);
    }
    if (allocator > 0 && first.median > 0) {
        snprintf(relative, sizeof(relative), "%+.0f%%", 100 * (spread.median / first.median - 1));
    }
    printf("  %8s %-5s%6s", show_measured(spread.median, measured).text, range, relative);
}

static unsigned failed_runs(const struct comparison *comparison, unsigned allocator)
{
    unsigned count = 0;
    for (unsigned i = 0; i < comparison->run_count; i++) {
        count += comparison->runs[allocator * comparison->run_count + i].status != 0;
    }
    return count;
}

static void print_table(const struct comparison *comparison)
{
    static const char *const heads[] = {"time", "processor time", "peak memory", "mean memory"};
    printf("\n%-19s", "");
    for (unsigned measured = 0; measured < MEASURED_COUNT; measured++) {
        printf("%-22s", heads[measured]);
    }
    printf("\n");
    for (unsigned i = 0; i < comparison->allocator_count; i++) {
        printf("%-16s", comparison->allocators[i].name);
        for (unsigned measured = 0; measured < MEASURED_COUNT; measured++) {
            print_cell(comparison, i, measured);
        }
        unsigned failed = failed_runs(comparison, i);
        printf(failed != 0 ? "  %u runs FAILED\n" : "\n", failed);
    }
    printf("\nEach number is %s, then the difference\nto %s. Less is better. Time is by the clock; "
           "processor time adds up all threads.\n\n",
           comparison->run_count == 1 ? "that of a single run, with nothing to tell chance by"
                                      : "the median, with half the range of all runs",
           comparison->allocators[0].name);
}

/* "12 % less time", or that there is no difference: the middle halves of the runs overlap. */
static void put_difference(FILE *out, const struct comparison *comparison, enum measured measured)
{
    const char *what = measured == MEASURED_PEAK ? "peak memory" : "time";
    struct spread theirs = spread_of(comparison, 0, measured);
    struct spread ours = spread_of(comparison, comparison->allocator_count - 1, measured);
    double percent = 100 * (ours.median / theirs.median - 1);
    if (comparison->run_count > 1 && ours.lower <= theirs.upper && theirs.lower <= ours.upper) {
        fprintf(out, "the same %s within the spread", what);
    } else if (percent > -1 && percent < 1) {
        fprintf(out, "the same %s to 1 %%", what);
    } else {
        fprintf(out, "%.0f %% %s %s", percent < 0 ? -percent : percent,
                percent < 0 ? "less" : "more", what);
    }
}

static const char *best_name(const struct comparison *comparison, enum measured measured)
{
    unsigned best = 0;
    for (unsigned i = 1; i < comparison->allocator_count; i++) {
        if (spread_of(comparison, i, measured).median <
            spread_of(comparison, best, measured).median) {
            best = i;
        }
    }
    return comparison->allocators[best].name;
}

static void make_verdict(struct comparison *comparison)
{
    FILE *out = fmemopen(comparison->verdict, sizeof(comparison->verdict), "w");
    unsigned failed = 0;
    for (unsigned i = 0; i < comparison->allocator_count; i++) {
        failed += failed_runs(comparison, i);
    }
    if (failed != 0) {
        fprintf(out, "%u of %u runs FAILED, so take this with care: ", failed,
                comparison->allocator_count * comparison->run_count);
    }
    fprintf(out, "beside %s, poolmalloc needs ", comparison->allocators[0].name);
    put_difference(out, comparison, MEASURED_WALL);
    fputs(" and ", out);
    put_difference(out, comparison, MEASURED_PEAK);
    fprintf(out, "; by the median the fastest here is %s, the smallest %s.",
            best_name(comparison, MEASURED_WALL), best_name(comparison, MEASURED_PEAK));
    fclose(out);
}

/* ---- Runs -------------------------------------------------------------------------------- */

static void show_progress(const struct comparison *comparison, unsigned done, unsigned allocator)
{
    unsigned total = comparison->run_count * comparison->allocator_count;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K%3u of %u  %s", done + 1, total,
                comparison->allocators[allocator].name);
    } else if (done % comparison->allocator_count == 0) {
        fprintf(stderr, "round %u of %u\n", done / comparison->allocator_count + 1,
                comparison->run_count);
    }
}

static void run_all(struct comparison *comparison)
{
    unsigned count = comparison->allocator_count;
    for (unsigned done = 0; done < comparison->run_count * count; done++) {
        unsigned round = done / count;
        unsigned allocator = (done + round) % count;
        show_progress(comparison, done, allocator);
        measure_run(&comparison->runs[allocator * comparison->run_count + round],
                    &comparison->allocators[allocator], comparison->command,
                    comparison->shows_output);
    }
    fputs(isatty(STDERR_FILENO) ? "\r\033[K" : "", stderr);
}

/* Is the name one of those in a list with commas? */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strcspn(name, " ");
    for (const char *at = list; (at = strstr(at, name)) != NULL; at++) {
        if ((at == list || at[-1] == ',') && (at[length] == '\0' || at[length] == ',')) {
            return true;
        }
    }
    return strncmp(list, "glibc", 5) == 0 && strncmp(name, "glibc", 5) == 0;
}

static void keep_only(struct comparison *comparison, const char *list)
{
    unsigned kept = 1; /* the libc's is what all are compared with */
    for (unsigned i = 1; i < comparison->allocator_count; i++) {
        if (i + 1 == comparison->allocator_count ||
            is_listed(list, comparison->allocators[i].name)) {
            comparison->allocators[kept++] = comparison->allocators[i];
        }
    }
    comparison->allocator_count = kept;
}

static void parse_options(struct comparison *comparison, int argc, char **argv)
{
    const char *added[ALLOCATORS_MAX];
    unsigned added_count = 0;
    const char *library = NULL;
    const char *only = NULL;
    char path[PATH_MAX];
    int option;
    while ((option = getopt_long(argc, argv, "+n:a:l:h", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            comparison->run_count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            comparison->page_path = optarg;
            break;
        case 'a':
            added[added_count++ % ALLOCATORS_MAX] = optarg;
            break;
        case 'y':
            only = optarg;
            break;
        case 'o':
            comparison->shows_output = true;
            break;
        case 'l':
            library = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            die(EXIT_USAGE, "try 'poolmalloc compare --help'");
        }
    }
    library_find(library, path);
    comparison->allocator_count = allocators_find(comparison->allocators, path);
    if (only != NULL) {
        keep_only(comparison, only);
    }
    for (unsigned i = 0; i < added_count && i < ALLOCATORS_MAX; i++) {
        comparison->allocator_count =
            allocators_add(comparison->allocators, comparison->allocator_count, added[i]);
    }
}

int command_compare(int argc, char **argv)
{
    static struct comparison comparison = {.run_count = RUNS_DEFAULT};
    char program[PATH_MAX];
    parse_options(&comparison, argc, argv);
    comparison.command = argv + optind;
    if (optind == argc) {
        die(EXIT_USAGE, "compare: no program given");
    }
    if (comparison.run_count == 0 || comparison.run_count > RUNS_MAX) {
        die(EXIT_USAGE, "compare: --runs is 1 to %d", RUNS_MAX);
    }
    const char *library = comparison.allocators[comparison.allocator_count - 1].path;
    program_find(argv[optind], library, program);
    comparison.runs = calloc((size_t)comparison.allocator_count * comparison.run_count,
                             sizeof(comparison.runs[0]));
    if (comparison.runs == NULL) {
        die(EXIT_FAILED, "compare: out of memory");
    }
    if (comparison.page_path != NULL) {
        page_check(comparison.page_path); /* now, not when all has run */
    }
    run_all(&comparison);
    print_table(&comparison);
    make_verdict(&comparison);
    printf("Verdict: %s\n", comparison.verdict);
    if (comparison.page_path != NULL) {
        compare_save_page(&comparison);
    }
    free(comparison.runs);
    return EXIT_SUCCESS;
}
