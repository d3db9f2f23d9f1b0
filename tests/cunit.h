/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stand-in for CUnit where it is not to be had (another machine's or libc's compiler): the same
 * assertions, each failure printed at once and counted. Included by test.h only. */
#ifndef POOLMALLOC_TEST_CUNIT_H
#define POOLMALLOC_TEST_CUNIT_H

/* Weak: the files of one test program share one count. */
__attribute__((weak)) unsigned cunit_failed_count;

#define CU_CHECK(holds, text, on_failure)                                                          \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            printf("  %s:%d: %s\n", __FILE__, __LINE__, text);                                     \
            cunit_failed_count++;                                                                  \
            on_failure;                                                                            \
        }                                                                                          \
    } while (0)
#define CU_SOFT(holds, text) CU_CHECK(holds, text, (void)0)
#define CU_HARD(holds, text) CU_CHECK(holds, text, exit(EXIT_FAILURE))

#define CU_PASS(text) ((void)0)
#define CU_FAIL(text) CU_SOFT(false, text)
#define CU_FAIL_FATAL(text) CU_HARD(false, text)
#define CU_ASSERT(value) CU_SOFT(value, #value)
#define CU_ASSERT_FATAL(value) CU_HARD(value, #value)
#define CU_ASSERT_TRUE(value) CU_SOFT(value, #value)
#define CU_ASSERT_TRUE_FATAL(value) CU_HARD(value, #value)
#define CU_ASSERT_FALSE(value) CU_SOFT(!(value), "!" #value)
#define CU_ASSERT_FALSE_FATAL(value) CU_HARD(!(value), "!" #value)
#define CU_ASSERT_EQUAL(a, b) CU_SOFT((a) == (b), #a " == " #b)
#define CU_ASSERT_EQUAL_FATAL(a, b) CU_HARD((a) == (b), #a " == " #b)
#define CU_ASSERT_NOT_EQUAL(a, b) CU_SOFT((a) != (b), #a " != " #b)
#define CU_ASSERT_NOT_EQUAL_FATAL(a, b) CU_HARD((a) != (b), #a " != " #b)
#define CU_ASSERT_PTR_EQUAL CU_ASSERT_EQUAL
#define CU_ASSERT_PTR_EQUAL_FATAL CU_ASSERT_EQUAL_FATAL
#define CU_ASSERT_PTR_NOT_EQUAL CU_ASSERT_NOT_EQUAL
#define CU_ASSERT_PTR_NOT_EQUAL_FATAL CU_ASSERT_NOT_EQUAL_FATAL
#define CU_ASSERT_PTR_NULL(ptr) CU_SOFT((ptr) == NULL, #ptr " == NULL")
#define CU_ASSERT_PTR_NULL_FATAL(ptr) CU_HARD((ptr) == NULL, #ptr " == NULL")
#define CU_ASSERT_PTR_NOT_NULL(ptr) CU_SOFT((ptr) != NULL, #ptr " != NULL")
#define CU_ASSERT_PTR_NOT_NULL_FATAL(ptr) CU_HARD((ptr) != NULL, #ptr " != NULL")
#define CU_ASSERT_STRING_EQUAL(a, b) CU_SOFT(strcmp(a, b) == 0, #a " == " #b)
#define CU_ASSERT_STRING_EQUAL_FATAL(a, b) CU_HARD(strcmp(a, b) == 0, #a " == " #b)
#define CU_ASSERT_NSTRING_EQUAL(a, b, count) CU_SOFT(strncmp(a, b, count) == 0, #a " == " #b)
#define CU_ASSERT_STRING_NOT_EQUAL(a, b) CU_SOFT(strcmp(a, b) != 0, #a " != " #b)
#define CU_ASSERT_DOUBLE_EQUAL(a, b, slack)                                                        \
    CU_SOFT((a) - (b) <= (slack) && (b) - (a) <= (slack), #a " == " #b)

#endif
