/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os.h: mappings are zeroed and aligned, also when pages are pretended to be larger; purging drops
 * contents and keeps addresses; faults come where they were ordered. */
#include "os.h"

#include "bits.h"

#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { MIB = 1 << 20 };

static bool is_zero(const char *start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (start[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool is_mapped(void *page)
{
    unsigned char resident;
    return mincore(page, 1, &resident) == 0;
}

static void pages_are_a_power_of_two(void)
{
    size_t real = os_page_bytes();
    CU_ASSERT_EQUAL(real, (size_t)sysconf(_SC_PAGESIZE));
    CU_ASSERT_TRUE(is_power_of_two(real));
    os_pretend_page_bytes(65536);
    CU_ASSERT_EQUAL(os_page_bytes(), 65536);
    os_pretend_page_bytes(0);
    CU_ASSERT_EQUAL(os_page_bytes(), real);
}

static void mappings_are_zeroed_and_aligned(void)
{
    for (size_t alignment = os_page_bytes(); alignment <= 64 * (size_t)MIB; alignment *= 2) {
        char *start = os_map(MIB + 1, alignment, NULL, "test");
        CU_ASSERT_PTR_NOT_NULL_FATAL(start);
        CU_ASSERT_EQUAL((uintptr_t)start % alignment, 0);
        CU_ASSERT_TRUE(is_zero(start, MIB + 1));
        CU_ASSERT_TRUE(os_unmap(start, MIB + 1));
        CU_ASSERT_FALSE(is_mapped(start));
    }
}

/* The kernel aligns to its own pages only: each shift of the next mapping must do. */
static void larger_pages_are_aligned_too(void)
{
    size_t real = os_page_bytes();
    for (unsigned i = 0; i < 64; i++) {
        os_pretend_page_bytes(0);
        CU_ASSERT_PTR_NOT_NULL(os_map(real * (i % 16 + 1), real, NULL, "shift"));
        os_pretend_page_bytes(65536);
        char *start = os_map(MIB, 65536, NULL, "test");
        CU_ASSERT_PTR_NOT_NULL_FATAL(start);
        CU_ASSERT_EQUAL((uintptr_t)start % 65536, 0);
        CU_ASSERT_TRUE(is_zero(start, MIB));
    }
}

static void impossible_mappings(void)
{
    CU_ASSERT_PTR_NULL(os_map(SIZE_MAX / 2, os_page_bytes(), NULL, "test"));
    CU_ASSERT_PTR_NULL(os_map(SIZE_MAX / 2, (size_t)1 << 62, NULL, "test"));
}

static void remapping(void)
{
    size_t page = os_page_bytes();
    char *start = os_map(4 * page, page, NULL, "test");
    memset(start, 1, 4 * page);
    CU_ASSERT_TRUE(os_remap(start, 4 * page, 2 * page, NULL));
    CU_ASSERT_FALSE(is_mapped(start + 2 * page));
    char *target = os_map(8 * page, page, NULL, "test");
    CU_ASSERT_TRUE(os_remap(start, 2 * page, 8 * page, target));
    CU_ASSERT_EQUAL(target[2 * page - 1], 1);
    CU_ASSERT_TRUE(is_zero(target + 2 * page, 6 * page));
    CU_ASSERT_FALSE(is_mapped(start));
    char *in_the_way = os_map(2 * page, page, NULL, "test");
    CU_ASSERT_PTR_NOT_NULL(in_the_way);
    os_fail_after(0, 1);
    CU_ASSERT_FALSE(os_remap(target, 8 * page, page, NULL));
    CU_ASSERT_EQUAL(target[0], 1);
}

static void purged_pages_read_as_zero(void)
{
    size_t page = os_page_bytes();
    char *start = os_map(4 * page, page, NULL, "test");
    memset(start, 1, 4 * page);
    CU_ASSERT_TRUE(os_purge(start + page, 2 * page));
    CU_ASSERT_EQUAL(start[page - 1], 1);
    CU_ASSERT_TRUE(is_zero(start + page, 2 * page));
    CU_ASSERT_EQUAL(start[3 * page], 1);
    os_fail_after(0, 1);
    CU_ASSERT_FALSE(os_purge(start, page));
    CU_ASSERT_EQUAL(start[0], 1);
}

static void faults_come_in_order(void)
{
    os_fail_after(2, 2);
    CU_ASSERT_PTR_NOT_NULL(os_map(1, os_page_bytes(), NULL, "test"));
    CU_ASSERT_PTR_NOT_NULL(os_map(1, os_page_bytes(), NULL, "test"));
    CU_ASSERT_PTR_NULL(os_map(1, os_page_bytes(), NULL, "test"));
    CU_ASSERT_PTR_NULL(os_map(1, os_page_bytes(), NULL, "test"));
    CU_ASSERT_PTR_NOT_NULL(os_map(1, os_page_bytes(), NULL, "test"));
}

static void cpus(void)
{
    CU_ASSERT_EQUAL(os_cpu_affinity(), (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
}

static void small_files(void)
{
    char name[64];
    CU_ASSERT_EQUAL(os_read_file("/proc/self/no such file", name, sizeof(name)), -1);
    long length = os_read_file("/proc/self/comm", name, sizeof(name));
    CU_ASSERT_EQUAL(length, (long)strlen(name));
    CU_ASSERT_TRUE(length > 0);
    CU_ASSERT_EQUAL(os_read_file("/proc/self/comm", name, 4), 3);
    CU_ASSERT_EQUAL(name[3], '\0');
}

static void environment(void)
{
    CU_ASSERT_TRUE(os_environment_is_ready());
    setenv("POOLMALLOC_TEST", "here", 1);
    CU_ASSERT_STRING_EQUAL(os_environment("POOLMALLOC_TEST"), "here");
    CU_ASSERT_PTR_NULL(os_environment("POOLMALLOC_TEST_OTHER"));
    clearenv();
    CU_ASSERT_PTR_NULL(os_environment("POOLMALLOC_TEST"));
}

static void clock_and_numbers(void)
{
    uint64_t now_ms = os_now_ms();
    usleep(30000);
    CU_ASSERT_TRUE(os_now_ms() >= now_ms + 20 && os_now_ms() < now_ms + 20000);
    CU_ASSERT_NOT_EQUAL(os_random(), os_random());
    CU_ASSERT_EQUAL(os_process_id(), (uint32_t)getpid());
    CU_ASSERT_EQUAL(os_thread_id(), os_process_id());
}

static _Atomic uint32_t word;

static void *wait_for_the_word(void *unused)
{
    while (atomic_load(&word) == 0) {
        os_wait(&word, 0);
    }
    return unused;
}

static void waiters_are_woken(void)
{
    pthread_t waiter;
    os_wait(&word, 1); /* another value: returns at once */
    pthread_create(&waiter, NULL, wait_for_the_word, NULL);
    usleep(10000);
    atomic_store(&word, 1);
    os_wake(&word, 1);
    pthread_join(waiter, NULL);
}

static void writing(void)
{
    int ends[2];
    char text[8] = {0};
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    os_write(ends[1], "abc", 3);
    CU_ASSERT_EQUAL(read(ends[0], text, sizeof(text)), 3);
    CU_ASSERT_STRING_EQUAL(text, "abc");
    os_write(-1, "abc", 3); /* nobody to tell; must come back */
}

static const struct test tests[] = {
    {"pages are a power of two", pages_are_a_power_of_two},
    {"mappings are zeroed and aligned", mappings_are_zeroed_and_aligned},
    {"larger pages are aligned too", larger_pages_are_aligned_too},
    {"impossible mappings", impossible_mappings},
    {"remapping", remapping},
    {"purged pages read as zero", purged_pages_read_as_zero},
    {"faults come in order", faults_come_in_order},
    {"CPUs", cpus},
    {"small files", small_files},
    {"environment", environment},
    {"clock and numbers", clock_and_numbers},
    {"waiters are woken", waiters_are_woken},
    {"writing", writing},
    {NULL, NULL},
};

int main(void)
{
    return test_main("os", tests);
}
