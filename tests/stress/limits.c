/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the kernel says no: one scenario that touches every layer is run again and again, the n-th
 * system call for memory failing, for every n; and under real limits. A call that cannot be served
 * returns NULL with ENOMEM, nothing is damaged or leaked, and freeing makes room again. The same
 * scenario runs on pages of 16 and 64 KiB. */
#ifndef TEST_WITHOUT_CUNIT
#define TEST_WITHOUT_CUNIT
#endif
#include "../test.h"
#include "sanitized.h"

#include "bin.h"
#include "huge.h"
#include "meta.h"
#include "os.h"
#include "page_map.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tcache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { LIVE_COUNT = 400, CALLS_AT_MOST = 500, SLACK_BYTES = 512 << 10 };
enum { MAPPINGS_TO_EXHAUST = 1 << 20 }; /* more take too much of the kernel's memory */

static const size_t sizes[] = {1,     16,    100,    512,    513,      4000,     32768,
                               40000, 65536, 200000, 500000, 3000000,  16 << 20, (16 << 20) + 1,
                               100,   20000, 70000,  48,     33 << 20, 10,       1 << 20};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]) };

static struct block {
    unsigned char *start;
    size_t bytes;
} live[LIVE_COUNT];

/* A refusal must be told by errno. */
static bool is_told(const void *block)
{
    return block != NULL || errno == ENOMEM;
}

static void mark(struct block *block, unsigned char *start, size_t bytes)
{
    *block = (struct block){start, start == NULL ? 0 : bytes};
    if (start != NULL) {
        start[0] = start[bytes - 1] = (unsigned char)bytes;
    }
}

static bool is_marked(const struct block *block)
{
    return block->start == NULL || (block->start[0] == (unsigned char)block->bytes &&
                                    block->start[block->bytes - 1] == (unsigned char)block->bytes);
}

static void drop(struct block *block)
{
    CU_ASSERT(is_marked(block));
    pm_free(block->start);
    *block = (struct block){0};
}

static void allocate_all(void)
{
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        size_t bytes = sizes[i % SIZE_COUNT];
        if (bytes > 1 << 20 && i >= 2 * SIZE_COUNT) {
            bytes = 300 + i;
        }
        errno = 0;
        void *block = i % 3 == 0   ? pm_calloc(1, bytes)
                      : i % 7 == 0 ? pm_aligned_alloc((size_t)64 << i % 20, bytes)
                                   : pm_malloc(bytes);
        CU_ASSERT(is_told(block));
        mark(&live[i], block, bytes);
    }
}

static void resize_all(void)
{
    for (unsigned i = 0; i < LIVE_COUNT; i += 2) {
        size_t bytes = sizes[(i + 5) % SIZE_COUNT];
        errno = 0;
        unsigned char *resized = pm_realloc(live[i].start, bytes);
        CU_ASSERT(is_told(resized));
        if (resized != NULL) {
            if (live[i].start != NULL) {
                CU_ASSERT(resized[0] == (unsigned char)live[i].bytes);
            }
            mark(&live[i], resized, bytes);
        }
        CU_ASSERT(is_marked(&live[i]));
    }
}

static void *allocate_elsewhere(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < LIVE_COUNT; i++) {
        errno = 0;
        void *block = pm_malloc(i * 97);
        CU_ASSERT(is_told(block));
        pm_free(block);
    }
    return NULL;
}

/* Allocates, resizes, lets another thread come and go, frees all, gives all back. */
static void scenario(void)
{
    pthread_t thread;
    allocate_all();
    resize_all();
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, allocate_elsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        drop(&live[i]);
    }
    tcache_flush();
    purge_all();
}

static void check_structures(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        CU_ASSERT(arena_is_valid(arena_at(i)));
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            CU_ASSERT(bin_is_valid(arena_at(i), class));
        }
    }
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        CU_ASSERT(tcache_is_valid(tcache));
    }
}

/* Address space of the process, read without libc's streams, which would allocate. */
static size_t mapped_bytes(void)
{
    char text[64];
    CU_ASSERT_FATAL(os_read_file("/proc/self/statm", text, sizeof(text)) > 0);
    return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t known_bytes(void)
{
    size_t bytes = meta_totals().mapped_bytes + page_map_mapped_bytes() + huge_blocks.bytes;
    for (unsigned i = 0; i < arena_count(); i++) {
        bytes += (size_t)arena_at(i)->chunk_count * CHUNK_BYTES;
    }
    return bytes;
}

static void *do_nothing(void *unused)
{
    return unused;
}

/* libc keeps the stack of the first thread that ended for the next one. */
static void keep_a_stack(void)
{
    pthread_t thread;
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
    pthread_join(thread, NULL);
}

static void fail_nth_call(unsigned calls, unsigned count)
{
    keep_a_stack();
    size_t others_bytes = mapped_bytes() - known_bytes();
    os_fail_after(calls, count);
    scenario();
    os_fail_after(0, 0);
    check_structures();
    scenario();
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        CU_ASSERT(live[i].start == NULL);
    }
    check_structures();
    CU_ASSERT(huge_blocks.bytes == 0);
    size_t unknown_bytes = mapped_bytes() - known_bytes();
    CU_ASSERT(unknown_bytes < others_bytes + SLACK_BYTES);
}

/* Runs in a child, so that every n starts from a process that never allocated. Returns false once
 * n is beyond the scenario's calls. */
static bool fail_nth_call_in_child(unsigned calls, unsigned count)
{
    enum { BEYOND = 7 };
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        os_fail_after(calls, 1);
        scenario();
        bool is_beyond = os_failures_left() == 1;
        os_fail_after(0, 0);
        _exit(is_beyond ? BEYOND : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    bool is_beyond = WIFEXITED(status) && WEXITSTATUS(status) == BEYOND;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        fail_nth_call(calls, count);
        fflush(stdout);
        _exit(cunit_failed_count != 0);
    }
    waitpid(child, &status, 0);
    if (status != 0) {
        printf("  call %u, %u failures: status %x\n", calls, count, (unsigned)status);
        cunit_failed_count++;
    }
    return !is_beyond;
}

static void every_call_fails_once(void)
{
    unsigned calls = 0;
    while (calls < CALLS_AT_MOST && fail_nth_call_in_child(calls, 1)) {
        calls++;
    }
    CU_ASSERT(calls > 20 && calls < CALLS_AT_MOST);
}

static void every_call_and_all_after_it_fail(void)
{
    unsigned calls = 0;
    while (calls < CALLS_AT_MOST && fail_nth_call_in_child(calls, INT_MAX)) {
        calls++;
    }
    CU_ASSERT(calls > 20 && calls < CALLS_AT_MOST);
}

static void run_on_pages_of(size_t page_bytes)
{
    os_pretend_page_bytes(page_bytes);
    keep_a_stack();
    size_t others_bytes = mapped_bytes() - known_bytes();
    for (unsigned i = 0; i < 3; i++) {
        scenario();
        check_structures();
    }
    CU_ASSERT(mapped_bytes() - known_bytes() < others_bytes + SLACK_BYTES);
}

static void pages_of_16_kib(void)
{
    run_on_pages_of(16 << 10);
}

static void pages_of_64_kib(void)
{
    run_on_pages_of(64 << 10);
}

/* ---- Real limits ---------------------------------------------------------------------------- */

/* Takes all there is in blocks of one size, frees every other one, and must get as many again. */
static void exhaust(size_t bytes)
{
    enum { MOST = 1 << 20 };
    static void *blocks[MOST];
    unsigned count = 0;
    while (count < MOST && (blocks[count] = pm_malloc(bytes)) != NULL) {
        count++;
    }
    CU_ASSERT(count > 0 && count < MOST && errno == ENOMEM);
    for (unsigned i = 0; i < count; i += 2) {
        pm_free(blocks[i]);
    }
    for (unsigned i = 0; i < count; i += 2) {
        blocks[i] = pm_malloc(bytes);
        CU_ASSERT(blocks[i] != NULL);
    }
    for (unsigned i = 0; i < count; i++) {
        pm_free(blocks[i]);
    }
    check_structures();
}

static void limit_by(unsigned resource)
{
    static const size_t block_bytes[] = {200, 5000, 100000, 2000000, 20 << 20};
    for (unsigned i = 0; i < 5; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct rlimit limit = {mapped_bytes() + (96 << 20), RLIM_INFINITY};
            syscall(SYS_prlimit64, 0, resource, &limit, NULL); /* libcs differ in the type of it */
            exhaust(block_bytes[i]);
            fflush(stdout);
            _exit(cunit_failed_count != 0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        CU_ASSERT_EQUAL(status, 0);
    }
}

static void address_space_is_limited(void)
{
    limit_by(RLIMIT_AS);
}

static void data_is_limited(void)
{
    limit_by(RLIMIT_DATA);
}

static size_t max_map_count(void)
{
    char text[32] = "";
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    CU_ASSERT_FATAL(file != NULL && fgets(text, sizeof(text), file) != NULL);
    fclose(file);
    return strtoul(text, NULL, 10);
}

/* Every second page gets another protection, until the kernel has no mapping left to give. */
static void mappings_are_exhausted(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t limit = max_map_count();
    if (limit > MAPPINGS_TO_EXHAUST) {
        printf("SKIPPED max_map_count, it is %zu here\n", limit);
        return;
    }
    size_t bytes = 2 * limit * page_bytes;
    void *small = pm_malloc(100);
    void *huge = pm_malloc(20 << 20);
    char *comb = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CU_ASSERT_FATAL(comb != MAP_FAILED && small != NULL && huge != NULL);
    size_t at = 0;
    while (at < bytes && mprotect(comb + at, page_bytes, PROT_READ) == 0) {
        at += 2 * page_bytes;
    }
    CU_ASSERT_FATAL(at < bytes);
    unsigned count = 0;
    static void *blocks[1000];
    errno = 0;
    while (count < 1000 && (blocks[count] = pm_aligned_alloc(32 << 20, 20 << 20)) != NULL) {
        count++;
    }
    CU_ASSERT(count < 1000 && errno == ENOMEM);
    pm_free(small);
    pm_free(huge);
    for (unsigned i = 0; i < count; i++) {
        pm_free(blocks[i]);
    }
    munmap(comb, bytes);
    void *again = pm_malloc(20 << 20);
    CU_ASSERT(again != NULL);
    pm_free(again);
    scenario();
    check_structures();
}

static const struct test tests[] = {
    {"every call fails once", every_call_fails_once},
    {"every call and all after it fail", every_call_and_all_after_it_fail},
    {"pages of 16 KiB", pages_of_16_kib},
    {"pages of 64 KiB", pages_of_64_kib},
    {"RLIMIT_AS", address_space_is_limited},
    {"RLIMIT_DATA", data_is_limited},
    {"max_map_count", mappings_are_exhausted},
    {NULL, NULL},
};

int main(void)
{
    if (IS_SANITIZED) {
        puts("SKIPPED under this sanitizer");
        return EXIT_SUCCESS;
    }
    return test_main("limits", tests);
}
