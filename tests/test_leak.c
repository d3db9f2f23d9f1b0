/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leak reports: what each level watches, one line for each site, touches, at exit and on demand. */
#include "poolmalloc.h"
#include "test.h"

enum { SAMPLE_EVERY = 128 };

static char report[4096];

/* Runs `function` in a child that then exits; keeps what it wrote to stderr. */
static void run(void (*function)(void))
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        function();
        exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], report + length, sizeof(report) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    report[length] = '\0';
    close(ends[0]);
    waitpid(child, NULL, 0);
}

static pm_buf *forgotten[SAMPLE_EVERY * 4];

static void forget(int count)
{
    for (int i = 0; i < count; i++) {
        forgotten[i] = pm_buf_create_at(1024, 1024, "forget.c:7");
    }
}

static void forget_disabled(void)
{
    pm_leak_set_level(PM_LEAK_DISABLED);
    forget(SAMPLE_EVERY * 4);
}

static void forget_simple(void)
{
    pm_leak_set_level(PM_LEAK_SIMPLE);
    forget(SAMPLE_EVERY * 4); /* new handles: sampled by their number */
    pm_buf_touch_at(forgotten[SAMPLE_EVERY - 1], "not-shown.c:1");
}

static void forget_recycled(void)
{
    pm_leak_set_level(PM_LEAK_ADVANCED);
    /* One handle, again and again: sampled by its lives. */
    for (int i = 1; i < SAMPLE_EVERY; i++) {
        pm_buf_release(pm_buf_create_at(1024, 1024, "before.c:1"));
    }
    forgotten[0] = pm_buf_create_at(1024, 1024, "forget.c:7");
    pm_buf_touch_at(forgotten[0], "touch.c:1");
}

static void forget_paranoid(void)
{
    pm_leak_set_level(PM_LEAK_PARANOID);
    forget(3);
    pm_buf *other = pm_buf_create_at(100, 100, "other.c:1");
    for (int i = 0; i < 5; i++) {
        pm_buf_touch_at(other, i < 4 ? "touch.c:1" : "touch.c:5");
    }
    pm_buf_retain(other);
    pm_buf_release(pm_buf_create_at(100, 100, "released.c:1"));
}

static void report_twice(void)
{
    pm_leak_set_level(PM_LEAK_PARANOID);
    forget(2);
    if (pm_leak_report() != 1) {
        abort();
    }
    pm_buf_release(forgotten[0]);
    pm_buf_release(forgotten[1]);
    if (pm_leak_report() != 0) {
        abort();
    }
}

static void disabled_says_nothing(void)
{
    run(forget_disabled);
    CU_ASSERT_STRING_EQUAL(report, "");
}

static void simple_says_where_of_a_sample(void)
{
    run(forget_simple);
    CU_ASSERT_STRING_EQUAL(report, "poolmalloc: leak: 4 buffers, 4.0 KiB, created at forget.c:7\n");
}

static void advanced_says_touches_of_a_sample(void)
{
    run(forget_recycled);
    CU_ASSERT_STRING_EQUAL(report, "poolmalloc: leak: 1 buffer, 1.0 KiB, created at forget.c:7, "
                                   "last touch touch.c:1\n");
}

static void paranoid_says_all_with_touches(void)
{
    run(forget_paranoid);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(report, "poolmalloc: leak: 3 buffers, 3.0 KiB, created at forget.c:7\n"));
    const char *other = strstr(report, "1 buffer, 100 B, created at other.c:1, last retain 0x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    CU_ASSERT_PTR_NOT_NULL(strstr(other, ", touch touch.c:5, touch touch.c:1, touch touch.c:1\n"));
    CU_ASSERT_PTR_NULL(strstr(report, "released.c"));
}

static void on_demand_and_not_after_release(void)
{
    run(report_twice);
    CU_ASSERT_STRING_EQUAL(report, "poolmalloc: leak: 2 buffers, 2.0 KiB, created at forget.c:7\n");
}

static void macro_names_the_line(void)
{
    char expected[300];
    const char *here = PM_HERE;
    snprintf(expected, sizeof(expected), "%s:%d", __FILE__, __LINE__ - 1);
    CU_ASSERT_STRING_EQUAL(here, expected);
}

static const struct test tests[] = {
    {"disabled says nothing", disabled_says_nothing},
    {"simple says where, for a sample", simple_says_where_of_a_sample},
    {"advanced also says where last, of a sample", advanced_says_touches_of_a_sample},
    {"paranoid says all, with the last touches", paranoid_says_all_with_touches},
    {"on demand, and not what was released", on_demand_and_not_after_release},
    {"PM_HERE names file and line", macro_names_the_line},
    {NULL, NULL},
};

int main(void)
{
    return test_main("leak", tests);
}
