/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proves that statistics are found by their names and no other, that options change what they say
 * they change, that a trim gives memory back, and that reports and warnings go where they are
 * sent. */
#include "test.h"

#include "config.h"
#include "os.h"
#include "poolmalloc.h"
#include "stats_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static uint64_t stat_of(const char *name)
{
    uint64_t value = UINT64_MAX;
    CU_ASSERT_TRUE(pm_stat_get(name, &value));
    return value;
}

static void every_name_has_a_value_and_a_sentence(void)
{
    size_t count = 0;
    const char *help;
    for (const char *name; (name = pm_stat_name(count, &help)) != NULL; count++) {
        CU_ASSERT_NOT_EQUAL(stat_of(name), UINT64_MAX);
        CU_ASSERT_PTR_NOT_NULL_FATAL(help);
        CU_ASSERT(strlen(help) > 10 && help[strlen(help) - 1] == '.');
    }
    CU_ASSERT_EQUAL(count, sizeof(struct stats_totals) / sizeof(uint64_t));
}

static void classes_and_arenas_are_found(void)
{
    void *blocks[3];
    uint64_t live = stat_of("class.1152.live");
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = pm_malloc(1100);
    }
    CU_ASSERT_EQUAL(stat_of("class.1152.live"), live + 3);
    void *huge = pm_malloc(20 << 20);
    CU_ASSERT_EQUAL(stat_of("class.huge.live"), 1);
    CU_ASSERT_EQUAL(stat_of("arena.0.chunks"), 1);
    CU_ASSERT_EQUAL(stat_of("arena.0.threads"), 1);
    pm_free(huge);
    for (unsigned i = 0; i < 3; i++) {
        pm_free(blocks[i]);
    }
}

static void other_names_are_not_found(void)
{
    static const char *const names[] = {"",
                                        "resid",
                                        "resident.",
                                        "class.48",
                                        "class.48.",
                                        "class.49.live",
                                        "class.live",
                                        "class.99999999999999999999.live",
                                        "class..live",
                                        "arena.1.chunks",
                                        "arena.0.live",
                                        "arena.0",
                                        "class.0.live",
                                        "class.hugelive",
                                        "arena.256.chunks"};
    CU_ASSERT_PTR_NOT_NULL(pm_malloc(1));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t value = 77;
        CU_ASSERT_FALSE(pm_stat_get(names[i], &value));
        CU_ASSERT_EQUAL(value, 77);
    }
}

static void options_change(void)
{
    char value[16];
    CU_ASSERT_TRUE(pm_option_get("decay_ms", value, sizeof(value)));
    CU_ASSERT_STRING_EQUAL(value, "1000");
    CU_ASSERT_TRUE(pm_option_set("decay_ms", "never"));
    CU_ASSERT_EQUAL(config.decay_ms, DECAY_NEVER);
    CU_ASSERT_TRUE(pm_option_get("decay_ms", value, sizeof(value)));
    CU_ASSERT_STRING_EQUAL(value, "never");
    CU_ASSERT_TRUE(pm_option_set("cached_max", "1M"));
    CU_ASSERT_TRUE(pm_option_get("cached_max", value, 4));
    CU_ASSERT_STRING_EQUAL(value, "104");
}

static void check_refused(const char *key, const char *value, int error)
{
    errno = 0;
    CU_ASSERT_FALSE(pm_option_set(key, value));
    CU_ASSERT_EQUAL(errno, error);
}

static void bad_options_are_refused(void)
{
    char value[16] = "untouched";
    check_refused("decay", "5", EINVAL);
    check_refused("decay_ms", "soon", EINVAL);
    check_refused("arenas", "2", EPERM);
    check_refused("check", "true", EPERM);
    CU_ASSERT_EQUAL(config.decay_ms, 1000);
    CU_ASSERT_EQUAL(config.arenas, 0);
    CU_ASSERT_FALSE(pm_option_get("decay", value, sizeof(value)));
    CU_ASSERT_FALSE(pm_option_get("decay_ms", value, 0));
    CU_ASSERT_STRING_EQUAL(value, "untouched");
}

static void a_trim_gives_back(void)
{
    enum { COUNT = 50000, BYTES = 1000 };
    static void *blocks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = memset(pm_malloc(BYTES), 1, BYTES);
    }
    uint64_t full = stat_of("resident");
    CU_ASSERT(full > (uint64_t)COUNT * BYTES);
    for (unsigned i = 0; i < COUNT; i++) {
        pm_free(blocks[i]);
    }
    CU_ASSERT_TRUE(pm_trim());
    CU_ASSERT(stat_of("resident") < 2 << 20);
    CU_ASSERT_FALSE(pm_trim());
}

/* ---- Reports and warnings ---------------------------------------------------------------- */

static char report[1 << 18];

static void check_dump(const char *request, const char *path, const char *begin, const char *end)
{
    CU_ASSERT_TRUE(pm_dump(request));
    long length = os_read_file(path, report, sizeof(report));
    CU_ASSERT_FATAL(length > (long)strlen(end));
    CU_ASSERT_NSTRING_EQUAL(report, begin, strlen(begin));
    CU_ASSERT_STRING_EQUAL(report + length - strlen(end), end);
    unlink(path);
}

static void reports_are_whole_files(void)
{
    char folder[] = "/tmp/poolmalloc-control.XXXXXX";
    char path[64];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
    snprintf(path, sizeof(path), "r%d%%", getpid());
    check_dump("text:r%p%%", path, "poolmalloc: memory of process ", "caches included.\n");
    check_dump("json:r", "r", "{\"poolmalloc\":{\"schema\":1,", "]}}\n");
    check_dump("prometheus:r", "r", "# HELP poolmalloc_in_use_bytes ", "\n# EOF\n");
    check_dump("openmetrics:r", "r", "# HELP poolmalloc_in_use_bytes ", "\n# EOF\n");
    CU_ASSERT_EQUAL(chdir("/"), 0);
    CU_ASSERT_EQUAL(rmdir(folder), 0); /* nothing else was left behind */
}

static void a_pipe_is_written_to(void)
{
    int ends[2];
    char request[64];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    snprintf(request, sizeof(request), "text:/proc/self/fd/%d", ends[1]);
    CU_ASSERT_TRUE(pm_dump(request));
    CU_ASSERT(read(ends[0], report, sizeof(report)) > 1000);
}

static void what_cannot_be_written_is_an_error(void)
{
    errno = 0;
    CU_ASSERT_FALSE(pm_dump("yaml"));
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_FALSE(pm_dump("text:/nonexistent/report"));
    CU_ASSERT_EQUAL(errno, ENOENT);
    memset(report, 'a', 5000);
    memcpy(report, "text:/tmp/", strlen("text:/tmp/"));
    report[5000] = '\0';
    CU_ASSERT_FALSE(pm_dump(report));
    CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
}

static char warning[200];

static void keep_warning(const char *line)
{
    snprintf(warning, sizeof(warning), "%s", line);
}

static void warnings_go_to_the_hook(void)
{
    int foreign;
    CU_ASSERT_TRUE(pm_option_set("foreign", "ignore"));
    pm_message_hook(keep_warning);
    pm_free(&foreign);
    CU_ASSERT_NSTRING_EQUAL(warning, "poolmalloc: warning: free of a pointer that is not", 50);
    CU_ASSERT_PTR_NULL(strchr(warning, '\n'));
}

static const struct test tests[] = {
    {"every name has a value and a sentence", every_name_has_a_value_and_a_sentence},
    {"classes and arenas are found", classes_and_arenas_are_found},
    {"other names are not found", other_names_are_not_found},
    {"options change", options_change},
    {"bad options are refused", bad_options_are_refused},
    {"a trim gives back", a_trim_gives_back},
    {"reports are whole files", reports_are_whole_files},
    {"a pipe is written to", a_pipe_is_written_to},
    {"what cannot be written is an error", what_cannot_be_written_is_an_error},
    {"warnings go to the hook", warnings_go_to_the_hook},
    {NULL, NULL},
};

int main(void)
{
    return test_main("control", tests);
}
