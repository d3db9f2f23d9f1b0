/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When each misuse is caught: at once, when the cache is flushed (at the latest at the end of the
 * process), or never; by default and with check:true. README.md's table says the same; the exact
 * words are tests/abort's. */
#include "config.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tcache.h"

#include "dies.h"
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>

enum {
    BYTES = 40,
    OTHERS = 200,
    RUN = 64 << 10,
    LONG_RUN = 80 << 10,
    HUGE = 20 << 20,
    PAGE = 8192
};

enum outcome { AT_ONCE, WHEN_FLUSHED, NEVER };

static char global[64];
static void *kept; /* keeps its page in use, so that bits tell, not the page map */

static void *freed(size_t bytes)
{
    void *block = pm_malloc(bytes);
    pm_free(block);
    return block;
}

static void double_free(void)
{
    pm_free(freed(BYTES));
}

static void double_free_after_other_frees(void)
{
    void *blocks[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        blocks[i] = pm_malloc(BYTES);
    }
    for (int i = 0; i < OTHERS; i++) {
        pm_free(blocks[i]);
    }
    pm_free(blocks[0]);
}

static void double_free_after_realloc(void)
{
    void *block = pm_malloc(BYTES);
    void *moved = pm_realloc(block, 100 * BYTES);
    pm_free(block);
    pm_free(moved);
}

/* The block was handed out again in between: the free takes it from its new owner. */
static void double_free_after_reuse(void)
{
    void *block = freed(BYTES);
    void *again = pm_malloc(BYTES);
    pm_free(block);
    if (again != block) {
        abort();
    }
}

static void *free_it(void *block)
{
    pm_free(block);
    return NULL;
}

static void double_free_from_another_thread(void)
{
    pthread_t thread;
    void *block = freed(BYTES);
    pthread_create(&thread, NULL, free_it, block);
    pthread_join(thread, NULL);
}

static void double_free_of_a_run(void)
{
    pm_free(freed(RUN));
}

static void double_free_of_a_long_run(void)
{
    pm_free(freed(LONG_RUN));
}

static void double_free_of_a_huge_block(void)
{
    pm_free(freed(HUGE));
}

static void free_of_the_stack(void)
{
    char local[64];
    pm_free(local);
}

static void free_of_a_global(void)
{
    pm_free(global);
}

static void free_of_an_unmapped_page(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    pm_free(page);
}

static void free_inside_a_small_block(void)
{
    pm_free((char *)pm_malloc(64) + 16);
}

static void free_of_an_unaligned_pointer(void)
{
    pm_free((char *)pm_malloc(64) + 1);
}

static void free_in_the_first_page_of_a_run(void)
{
    pm_free((char *)pm_malloc(RUN) + 16);
}

static void free_in_another_page_of_a_run(void)
{
    pm_free((char *)pm_malloc(RUN) + PAGE);
}

static void free_inside_a_huge_block(void)
{
    pm_free((char *)pm_malloc(HUGE) + LONG_RUN);
}

static void free_sized_of_another_size(void)
{
    pm_free_sized(pm_malloc(100), 200);
}

static void free_sized_of_the_same_class(void)
{
    pm_free_sized(pm_malloc(100), 110);
}

static void realloc_of_a_freed_block(void)
{
    pm_free(pm_realloc(freed(BYTES), 100 * BYTES));
}

static void realloc_in_place_of_a_freed_block(void)
{
    pm_realloc(freed(BYTES), BYTES + 1);
}

static void realloc_of_a_freed_long_run(void)
{
    pm_realloc(freed(LONG_RUN), BYTES);
}

static void usable_size_of_a_freed_block(void)
{
    pm_usable_size(freed(BYTES));
}

static void usable_size_of_a_freed_run(void)
{
    pm_usable_size(freed(RUN));
}

static void write_after_free(void)
{
    memset(freed(BYTES), 1, BYTES);
}

static void write_past_the_end(void)
{
    char *block = pm_malloc(48);
    memset(block, 1, 64);
    pm_free(block);
}

struct misuse {
    void (*run)(void);
    const char *name;
    enum outcome by_default;
    enum outcome checked;
};

#define MISUSE(run, by_default, checked)                                                           \
    {                                                                                              \
        run, #run, by_default, checked                                                             \
    }

static const struct misuse misuses[] = {
    MISUSE(double_free, WHEN_FLUSHED, AT_ONCE),
    MISUSE(double_free_after_other_frees, WHEN_FLUSHED, AT_ONCE),
    MISUSE(double_free_after_realloc, WHEN_FLUSHED, AT_ONCE),
    MISUSE(double_free_from_another_thread, WHEN_FLUSHED, AT_ONCE),
    MISUSE(double_free_after_reuse, NEVER, NEVER),
    MISUSE(double_free_of_a_run, WHEN_FLUSHED, AT_ONCE),
    MISUSE(double_free_of_a_long_run, AT_ONCE, AT_ONCE),
    MISUSE(double_free_of_a_huge_block, AT_ONCE, AT_ONCE),
    MISUSE(free_of_the_stack, AT_ONCE, AT_ONCE),
    MISUSE(free_of_a_global, AT_ONCE, AT_ONCE),
    MISUSE(free_of_an_unmapped_page, AT_ONCE, AT_ONCE),
    MISUSE(free_inside_a_small_block, WHEN_FLUSHED, AT_ONCE),
    MISUSE(free_of_an_unaligned_pointer, AT_ONCE, AT_ONCE),
    MISUSE(free_in_the_first_page_of_a_run, WHEN_FLUSHED, AT_ONCE),
    MISUSE(free_in_another_page_of_a_run, AT_ONCE, AT_ONCE),
    MISUSE(free_inside_a_huge_block, AT_ONCE, AT_ONCE),
    MISUSE(free_sized_of_another_size, AT_ONCE, AT_ONCE),
    MISUSE(free_sized_of_the_same_class, NEVER, NEVER),
    MISUSE(realloc_of_a_freed_block, WHEN_FLUSHED, AT_ONCE),
    MISUSE(realloc_in_place_of_a_freed_block, NEVER, AT_ONCE),
    MISUSE(realloc_of_a_freed_long_run, AT_ONCE, AT_ONCE),
    MISUSE(usable_size_of_a_freed_block, NEVER, NEVER),
    MISUSE(usable_size_of_a_freed_run, NEVER, AT_ONCE),
    MISUSE(write_after_free, NEVER, NEVER),
    MISUSE(write_past_the_end, NEVER, NEVER),
};

static const struct misuse *current;
static bool is_checked;

static void misuse_and_end(void)
{
    if (is_checked) {
        config_set("check", "true");
    }
    kept = pm_malloc(BYTES);
    current->run();
    fputs("survived\n", stderr);
    exit(EXIT_SUCCESS);
}

/* A crash is no outcome: what dies must die by abort, with one line of ours. */
static enum outcome outcome_of(const struct misuse *misuse, bool checked)
{
    char text[512];
    current = misuse;
    is_checked = checked;
    int status = run_in_child(misuse_and_end, text, sizeof(text));
    const char *survived = strstr(text, "survived\n");
    const char *fatal = strstr(text, "poolmalloc: fatal: ");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS && fatal == NULL) {
        return NEVER;
    }
    bool is_proper = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && fatal != NULL;
    CU_ASSERT_TRUE_FATAL(is_proper);
    return survived == NULL ? AT_ONCE : WHEN_FLUSHED;
}

static void judge(bool checked)
{
    static const char *const names[] = {"at once", "when flushed", "never"};
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        enum outcome outcome = outcome_of(&misuses[i], checked);
        enum outcome expected = checked ? misuses[i].checked : misuses[i].by_default;
        if (outcome != expected) {
            printf("  %s: caught %s, expected %s\n", misuses[i].name, names[outcome],
                   names[expected]);
        }
        CU_ASSERT_EQUAL(outcome, expected);
    }
}

static void by_default(void)
{
    judge(false);
}

static void with_check_true(void)
{
    judge(true);
}

static const struct test tests[] = {
    {"by default", by_default},
    {"with check:true", with_check_true},
    {NULL, NULL},
};

int main(void)
{
    return test_main("caught", tests);
}
