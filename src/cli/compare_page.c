/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page of poolmalloc compare: every run as a dot, memory over time as lines. */
#include "compare.h"

#include "page.h"
#include "say.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

PAGE_TEMPLATE(compare_template, "src/cli/compare.html");

static void put_runs(FILE *out, const struct comparison *comparison, unsigned allocator)
{
    const struct run *runs = &comparison->runs[allocator * comparison->run_count];
    for (unsigned i = 0; i < comparison->run_count; i++) {
        fprintf(out, "%s[", i == 0 ? "" : ",");
        for (unsigned measured = 0; measured < MEASURED_COUNT; measured++) {
            fprintf(out, "%s%.6g", measured == 0 ? "" : ",", run_value(&runs[i], measured));
        }
        fprintf(out, ",%d]", runs[i].status);
    }
}

/* The run whose peak is nearest to the median stands for its allocator. */
static const struct run *typical_run(const struct comparison *comparison, unsigned allocator)
{
    double median = spread_of(comparison, allocator, MEASURED_PEAK).median;
    const struct run *runs = &comparison->runs[allocator * comparison->run_count];
    const struct run *best = runs;
    double best_distance = -1;
    for (unsigned i = 0; i < comparison->run_count; i++) {
        double distance = runs[i].peak_bytes - median;
        distance = distance < 0 ? -distance : distance;
        if (best_distance < 0 || distance < best_distance) {
            best = &runs[i];
            best_distance = distance;
        }
    }
    return best;
}

static void put_allocator(FILE *out, const struct comparison *comparison, unsigned allocator)
{
    const struct run *run = typical_run(comparison, allocator);
    fputs("{\"name\":", out);
    put_json(out, comparison->allocators[allocator].name);
    fputs(",\"runs\":[", out);
    put_runs(out, comparison, allocator);
    fputs("],\"line\":[", out);
    for (unsigned i = 0; i < run->sample_count; i++) {
        fprintf(out, "%s[%.4g,%.0f]", i == 0 ? "" : ",", run->samples[i].seconds,
                run->samples[i].bytes);
    }
    fputs("]}", out);
}

static void put_comparison(FILE *out, const void *data)
{
    const struct comparison *comparison = data;
    struct utsname machine;
    char when[32];
    time_t now = time(NULL);
    struct tm local;
    uname(&machine);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", localtime_r(&now, &local));
    fprintf(out, "{\"when\":\"%s\",\"system\":\"%s %s %s, %ld CPUs\",\"command\":[", when,
            machine.sysname, machine.release, machine.machine, sysconf(_SC_NPROCESSORS_ONLN));
    for (char **word = comparison->command; *word != NULL; word++) {
        fputs(word == comparison->command ? "" : ",", out);
        put_json(out, *word);
    }
    fputs("],\"verdict\":", out);
    put_json(out, comparison->verdict);
    fputs(",\"allocators\":[", out);
    for (unsigned i = 0; i < comparison->allocator_count; i++) {
        fputs(i == 0 ? "" : ",\n", out);
        put_allocator(out, comparison, i);
    }
    fputs("]}", out);
}

void compare_save_page(const struct comparison *comparison)
{
    page_save(comparison->page_path, compare_template, put_comparison, comparison);
}
