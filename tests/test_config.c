/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.h: every key takes its values and refuses others, leaving what was; the environment says
 * the same in two ways; what is wrong is reported in one line with the nearest key. Loading happens
 * once per process, so those tests run this program again and read what it prints. */
#include "config.h"
#include "poolmalloc.h"

#include "dies.h"
#include "test.h"

#include <ctype.h>

enum { TEXT_BYTES = 4096 };

struct setting {
    const char *key;
    const char *value;
    uint64_t number;
};

static uint64_t value_of(const char *key)
{
    for (unsigned i = 0; config_key(i) != NULL; i++) {
        if (strcmp(config_key(i), key) == 0) {
            return config_value(i);
        }
    }
    CU_FAIL("no such key");
    return 0;
}

static void good_values_are_taken(void)
{
    static const struct setting settings[] = {
        {"decay_ms", "0", 0},
        {"decay_ms", "250", 250},
        {"decay_ms", "250ms", 250},
        {"decay_ms", "never", DECAY_NEVER},
        {"cache_bytes", "0", 0},
        {"cache_bytes", "123456", 123456},
        {"cache_bytes", "64k", 64 << 10},
        {"cache_bytes", "64K", 64 << 10},
        {"cache_bytes", "3M", 3 << 20},
        {"cache_bytes", "2g", UINT64_C(2) << 30},
        {"cache_bytes", "16777215T", UINT64_C(16777215) << 40},
        {"cache_bytes", "18446744073709551615", UINT64_MAX},
        {"cached_max", "16M", 16 << 20},
        {"arenas", "256", 256},
        {"limit_bytes", "1G", 1 << 30},
        {"limit", "cgroup", LIMIT_CGROUP},
        {"limit", "none", LIMIT_NONE},
        {"background_thread", "off", BACKGROUND_OFF},
        {"background_thread", "on", BACKGROUND_ON},
        {"background_thread", "auto", BACKGROUND_AUTO},
        {"huge_pages", "true", 1},
        {"foreign", "ignore", FOREIGN_IGNORE},
        {"foreign", "abort", FOREIGN_ABORT},
        {"check", "true", 1},
        {"check", "false", 0},
        {"leak", "paranoid", PM_LEAK_PARANOID},
        {"leak", "advanced", PM_LEAK_ADVANCED},
        {"leak", "simple", PM_LEAK_SIMPLE},
        {"leak", "disabled", PM_LEAK_DISABLED},
        {"confirm_conf", "true", 1},
        {"abort_conf", "true", 1},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        CU_ASSERT_PTR_NULL(config_set(settings[i].key, settings[i].value));
        CU_ASSERT_EQUAL(value_of(settings[i].key), settings[i].number);
    }
}

static void bad_values_change_nothing(void)
{
    static const struct setting settings[] = {
        {"decay_ms", "", 0},
        {"decay_ms", "-1", 0},
        {"decay_ms", "1s", 0},
        {"decay_ms", "1 ", 0},
        {"decay_ms", "86400001", 0},
        {"decay_ms", "Never", 0},
        {"cache_bytes", "never", 0},
        {"cache_bytes", "M", 0},
        {"cache_bytes", "5 ", 0},
        {"cache_bytes", "5@", 0},
        {"cache_bytes", "5KB", 0},
        {"cache_bytes", "5ms", 0},
        {"cache_bytes", "0x10", 0},
        {"cache_bytes", "1.5M", 0},
        {"cache_bytes", "16777216T", 0},
        {"cache_bytes", "18446744073709551616", 0},
        {"cache_bytes", "99999999999999999999999", 0},
        {"cached_max", "16777217", 0},
        {"arenas", "257", 0},
        {"leak", "paranoia", 0},
        {"arenas", "1K", 0},
        {"limit", "1", 0},
        {"background_thread", "true", 0},
        {"foreign", "", 0},
        {"check", "2", 0},
        {"check", "TRUE", 0},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        uint64_t before = value_of(settings[i].key);
        const char *problem = config_set(settings[i].key, settings[i].value);
        CU_ASSERT_PTR_NOT_NULL_FATAL(problem);
        CU_ASSERT_STRING_EQUAL(problem, "bad value for option");
        CU_ASSERT_EQUAL(value_of(settings[i].key), before);
    }
    CU_ASSERT_STRING_EQUAL(config_set("arena", "1"), "unknown option");
    CU_ASSERT_STRING_EQUAL(config_set("", "1"), "unknown option");
}

/* ---- The environment, in a process of its own ------------------------------------------------ */

static const char *loaded_conf;     /* POOLMALLOC_CONF, or NULL */
static const char *loaded_variable; /* another variable's name, or NULL */
static const char *loaded_value;

/* $EMULATOR: as in the Makefile, empty on the machine that this program is built for. */
static void load_in_this_process(void)
{
    char own_path[TEXT_BYTES];
    ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);
    own_path[length < 0 ? 0 : length] = '\0';
    unsetenv("POOLMALLOC_CONF");
    if (loaded_conf != NULL) {
        setenv("POOLMALLOC_CONF", loaded_conf, 1);
    }
    if (loaded_variable != NULL) {
        setenv(loaded_variable, loaded_value, 1);
    }
    execl("/bin/sh", "sh", "-c", "exec $EMULATOR \"$0\" print 1>&2", own_path, (char *)NULL);
}

static int print_values(void)
{
    for (unsigned i = 0; config_key(i) != NULL; i++) {
        printf("%s=%llu\n", config_key(i), (unsigned long long)config_value(i));
    }
    return EXIT_SUCCESS;
}

static char printed[TEXT_BYTES];

/* Returns the process's wait status; what it printed is in `printed`. */
static int load(const char *conf, const char *variable, const char *value)
{
    loaded_conf = conf;
    loaded_variable = variable;
    loaded_value = value;
    return run_in_child(load_in_this_process, printed, sizeof(printed));
}

static bool has(const char *part)
{
    bool found = strstr(printed, part) != NULL;
    if (!found) {
        printf("  no \"%s\" in:\n%s", part, printed);
    }
    return found;
}

static void one_string_sets_many(void)
{
    load("decay_ms:5,arenas:3,,cache_bytes=1M,check:true,", NULL, NULL);
    CU_ASSERT_TRUE(has("decay_ms=5\n") && has("arenas=3\n") && has("cache_bytes=1048576\n") &&
                   has("check=1\n"));
    CU_ASSERT_PTR_NULL(strstr(printed, "poolmalloc:"));
}

static void quotes_and_blanks_are_dropped(void)
{
    static const char *const confs[] = {
        "\"arenas:7\"",
        "'arenas:7'",
        " arenas : 7 ",
        "\xe2\x80\x9c"
        "arenas:7\xe2\x80\x9d",
        "\xe2\x80\x98"
        "arenas\xe2\x80\x99:7",
    };
    for (size_t i = 0; i < sizeof(confs) / sizeof(confs[0]); i++) {
        load(confs[i], NULL, NULL);
        CU_ASSERT_TRUE(has("arenas=7\n"));
        CU_ASSERT_PTR_NULL(strstr(printed, "poolmalloc:"));
    }
}

static void an_unknown_key_is_reported_with_the_nearest(void)
{
    load("decai_ms:5,arenas:3", NULL, NULL);
    CU_ASSERT_TRUE(
        has("poolmalloc: warning: unknown option \"decai_ms\", did you mean \"decay_ms\"? in "
            "POOLMALLOC_CONF=\"decai_ms:5,arenas:3\"\n"));
    CU_ASSERT_TRUE(has("arenas=3\n") && has("decay_ms=1000\n"));
    load("backgroundthread:on", NULL, NULL);
    CU_ASSERT_TRUE(has("did you mean \"background_thread\"?"));
}

static void a_bad_value_is_reported_and_the_default_stays(void)
{
    load("arenas:many", NULL, NULL);
    CU_ASSERT_TRUE(has("poolmalloc: warning: bad value for option \"arenas\" in "
                       "POOLMALLOC_CONF=\"arenas:many\"\n"));
    CU_ASSERT_TRUE(has("arenas=0\n"));
}

static void abort_conf_makes_it_fatal(void)
{
    int status = load("abort_conf:true,arenas:many", NULL, NULL);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_TRUE(has("poolmalloc: fatal: bad value for option \"arenas\" in "));
    CU_ASSERT_PTR_NULL(strstr(printed, "arenas="));
}

static void every_key_has_a_variable(void)
{
    for (unsigned i = 0; config_key(i) != NULL; i++) {
        char name[TEXT_BYTES] = "POOLMALLOC_";
        char expected[TEXT_BYTES + 100];
        for (size_t j = 0; j <= strlen(config_key(i)); j++) {
            name[strlen("POOLMALLOC_") + j] = (char)toupper(config_key(i)[j]);
        }
        load(NULL, name, "?");
        snprintf(expected, sizeof(expected),
                 "poolmalloc: warning: bad value for option \"%s\" in %s=\"?\"\n", config_key(i),
                 name);
        CU_ASSERT_TRUE(has(expected));
    }
    load(NULL, "POOLMALLOC_ARENAS", "\"7\"");
    CU_ASSERT_TRUE(has("arenas=7\n"));
}

static void confirm_conf_prints_the_options(void)
{
    load("confirm_conf:true,decay_ms:never,foreign:ignore,arenas:9", NULL, NULL);
    CU_ASSERT_NSTRING_EQUAL(printed, "poolmalloc: options: ", strlen("poolmalloc: options: "));
    CU_ASSERT_TRUE(has("decay_ms:never,") && has(",foreign:ignore,") && has(",arenas:9,"));
    for (unsigned i = 0; config_key(i) != NULL; i++) {
        CU_ASSERT_TRUE(has(config_key(i)));
    }
}

/* Longer than any buffer: cut, reported, survived. */
static void endless_words(void)
{
    static char conf[2000];
    memset(conf, 'x', sizeof(conf) - 1);
    int status = load(conf, NULL, NULL);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    CU_ASSERT_TRUE(has("poolmalloc: warning: unknown option \"xxx"));
    conf[0] = ':';
    status = load(conf, NULL, NULL);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    memcpy(conf, "decay_ms:", sizeof("decay_ms:") - 1);
    load(conf, NULL, NULL);
    CU_ASSERT_TRUE(has("poolmalloc: warning: bad value for option \"decay_ms\""));
}

static const struct test tests[] = {
    {"good values are taken", good_values_are_taken},
    {"bad values change nothing", bad_values_change_nothing},
    {"one string sets many", one_string_sets_many},
    {"quotes and blanks are dropped", quotes_and_blanks_are_dropped},
    {"an unknown key is reported with the nearest", an_unknown_key_is_reported_with_the_nearest},
    {"a bad value is reported, the default stays", a_bad_value_is_reported_and_the_default_stays},
    {"abort_conf makes it fatal", abort_conf_makes_it_fatal},
    {"every key has a variable", every_key_has_a_variable},
    {"confirm_conf prints the options", confirm_conf_prints_the_options},
    {"endless words", endless_words},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "print") == 0 ? print_values() : test_main("config", tests);
}
