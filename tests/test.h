/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thin helper over CUnit: every test runs in a process of its own, so that a crash, an abort or
 * a hang fails that test alone, with its name and signal. A test program is a table and a line:
 *
 *     static const struct test tests[] = {
 *         {"a run is aligned to its order", run_is_aligned},
 *         {NULL, NULL},
 *     };
 *
 *     int main(void)
 *     {
 *         return test_main("buddy", tests);
 *     }
 *
 * The functions use CUnit's assertions. The last line printed is `N passed, N failed`. */
#ifndef POOLMALLOC_TEST_H
#define POOLMALLOC_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TEST_WITHOUT_CUNIT
#include "cunit.h"
#else
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#endif

/* The analyzer must be told that a fatal assertion does not come back. */
#ifdef __clang_analyzer__
#define CU_assertImplementation(holds, line, text, file, function, is_fatal)                       \
    ((void)((holds) || !(is_fatal) || (abort(), true)))
#endif

enum { TEST_TIMEOUT_SECONDS = 240 };

struct test {
    const char *name;
    void (*run)(void);
};

/* Failed assertions of the running test so far, for tests that fork. */
static inline unsigned test_failures(void)
{
#ifdef TEST_WITHOUT_CUNIT
    return cunit_failed_count;
#else
    return CU_get_number_of_failures();
#endif
}

#ifdef TEST_WITHOUT_CUNIT
static inline unsigned test_run_here(const char *suite_name, const struct test *test)
{
    (void)suite_name;
    test->run();
    return cunit_failed_count;
}
#else
/* Runs one test under CUnit and prints its failed assertions. Returns how many failed. */
static inline unsigned test_run_here(const char *suite_name, const struct test *test)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    CU_add_test(suite, test->name, test->run);
    CU_run_all_tests();
    for (CU_pFailureRecord failure = CU_get_failure_list(); failure; failure = failure->pNext) {
        printf("  %s:%u: %s\n", failure->strFileName, failure->uiLineNumber, failure->strCondition);
    }
    unsigned failed_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed_count;
}
#endif

/* Runs one test in a child. Returns true if it ended by itself without a failed assertion. */
static inline bool test_run_forked(const char *suite_name, const struct test *test)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(TEST_TIMEOUT_SECONDS);
        exit(test_run_here(suite_name, test) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("test: fork");
        return false;
    }
    if (WIFSIGNALED(status)) {
        printf("FAIL %s: %s: %s\n", suite_name, test->name, strsignal(WTERMSIG(status)));
        return false;
    }
    if (WEXITSTATUS(status) != EXIT_SUCCESS) {
        printf("FAIL %s: %s\n", suite_name, test->name);
        return false;
    }
    return true;
}

/* Runs the tests of a table that ends with a NULL name. Returns what main returns. */
static inline int test_main(const char *suite_name, const struct test *tests)
{
    unsigned passed_count = 0;
    unsigned failed_count = 0;

    for (const struct test *test = tests; test->name; test++) {
        if (test_run_forked(suite_name, test)) {
            passed_count++;
        } else {
            failed_count++;
        }
    }
    printf("%u passed, %u failed\n", passed_count, failed_count);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
