/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proves that glibc's reporting calls answer with our figures: sums that glibc promises hold, known
 * blocks are counted, malloc_info's XML closes every tag, and a bad option is refused. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(holds) check(holds, __LINE__, #holds)

static unsigned passed_count;
static unsigned failed_count;

static void check(int holds, int line, const char *text)
{
    *(holds ? &passed_count : &failed_count) += 1;
    if (!holds) {
        printf("tests/api/reports.c:%d: %s\n", line, text);
    }
}

enum { COUNT = 2000, BYTES = 4096, HUGE_BYTES = 32 << 20 };

static void *blocks[COUNT];

static struct mallinfo2 with_known_blocks(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = memset(malloc(BYTES), 1, BYTES);
    }
    return mallinfo2();
}

static void mallinfo_counts_known_blocks(void)
{
    struct mallinfo2 before = mallinfo2();
    struct mallinfo2 now = with_known_blocks();
    CHECK(now.uordblks - before.uordblks == COUNT * BYTES);
    CHECK(now.uordblks + now.fordblks == now.arena);
    CHECK(now.arena - before.arena >= COUNT * BYTES);
    CHECK(now.hblks == before.hblks);
    void *huge = malloc(HUGE_BYTES);
    now = mallinfo2();
    CHECK(now.hblks == before.hblks + 1);
    CHECK(now.hblkhd - before.hblkhd == HUGE_BYTES);
    free(huge);
    CHECK(mallinfo2().hblkhd == before.hblkhd);
}

static void the_old_mallinfo_says_the_same(void)
{
    struct mallinfo2 wide = with_known_blocks();
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
    CHECK((size_t)narrow.arena == wide.arena);
    CHECK((size_t)narrow.uordblks == wide.uordblks);
    CHECK((size_t)narrow.fordblks == wide.fordblks);
}

static const char *attribute(const char *element, const char *name)
{
    const char *at = strstr(element, name);
    CHECK(at != NULL);
    return at + strlen(name);
}

static void malloc_info_is_xml(void)
{
    static char xml[1 << 14];
    FILE *stream = fmemopen(xml, sizeof(xml) - 1, "w");
    struct mallinfo2 info = with_known_blocks();
    CHECK(malloc_info(0, stream) == 0);
    fclose(stream);
    CHECK(strncmp(xml, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n", 43) == 0);
    CHECK(strcmp(xml + strlen(xml) - strlen("</malloc>\n"), "</malloc>\n") == 0);
    unsigned depth = 0;
    for (const char *at = xml; (at = strchr(at, '<')) != NULL; at++) {
        const char *end = strchr(at, '>');
        CHECK(end != NULL);
        if (end == NULL) {
            return;
        }
        depth += at[1] == '/' ? -1U : end[-1] == '/' ? 0 : 1;
    }
    CHECK(depth == 0);
    const char *system = strstr(strstr(xml, "</heap>"), "<system type=\"current\"");
    size_t current = strtoull(attribute(system, "size=\""), NULL, 10);
    CHECK(current >= info.arena && current < info.arena + (1 << 20));
}

static void another_option_is_refused(void)
{
    CHECK(malloc_info(1, stdout) == EINVAL);
}

int main(void)
{
    mallinfo_counts_known_blocks();
    the_old_mallinfo_says_the_same();
    malloc_info_is_xml();
    another_option_is_refused();
    printf("%u passed, %u failed\n", passed_count, failed_count);
    return failed_count != 0;
}
