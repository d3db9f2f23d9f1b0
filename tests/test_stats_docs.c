/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proves that docs/statistics.md explains every statistic in the sentence that the library gives,
 * and explains no other. Run from the top of the source tree. */
#include "test.h"

#include "os.h"
#include "stats_table.h"

static char document[1 << 16];

static const char *unit_of(const struct stat_row *row)
{
    static const char *const units[] = {
        [STAT_BYTES] = "bytes",
        [STAT_COUNT] = "count",
        [STAT_TOTAL_BYTES] = "bytes, total",
        [STAT_TOTAL] = "total",
    };
    return units[row->kind];
}

/* Returns how many rows the table has. */
static size_t check_table(const struct stat_row *table)
{
    size_t count = 0;
    for (const struct stat_row *row = table; row->name != NULL; row++, count++) {
        char line[400];
        snprintf(line, sizeof(line), "\n| `%s` | %s | %s |\n", row->name, unit_of(row), row->help);
        if (strstr(document, line) == NULL) {
            CU_FAIL("a row is missing");
            printf("  docs/statistics.md lacks: %s", line + 1);
        }
    }
    return count;
}

static size_t count_of(const char *word)
{
    size_t count = 0;
    for (const char *at = document; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

static void every_row_is_documented(void)
{
    CU_ASSERT_FATAL(os_read_file("docs/statistics.md", document, sizeof(document)) > 0);
    size_t count =
        check_table(stat_rows) + check_table(stat_class_rows) + check_table(stat_arena_rows);
    CU_ASSERT_EQUAL(count_of("` | bytes") + count_of("` | count |") + count_of("` | total |"),
                    count);
}

static const struct test tests[] = {
    {"every row is documented", every_row_is_documented},
    {NULL, NULL},
};

int main(void)
{
    return test_main("statistics.md", tests);
}
