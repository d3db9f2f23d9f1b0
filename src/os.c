/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "os.h"

#include "bits.h"
#include "compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { NANOSECONDS_PER_MS = 1000000, MS_PER_SECOND = 1000 };

/* Fault injection: both 0 outside tests, then one relaxed load per system call. */
static _Atomic uint32_t calls_before_failure;
static _Atomic uint32_t failures_left;
static _Atomic size_t pretended_page_bytes;

void os_fail_after(unsigned calls, unsigned count)
{
    atomic_store(&calls_before_failure, calls);
    atomic_store(&failures_left, count);
}

unsigned os_failures_left(void)
{
    return atomic_load(&failures_left);
}

static bool failure_is_due(void)
{
    if (likely(atomic_load_explicit(&failures_left, memory_order_relaxed) == 0)) {
        return false;
    }
    if (atomic_load(&calls_before_failure) > 0) {
        atomic_fetch_sub(&calls_before_failure, 1);
        return false;
    }
    atomic_fetch_sub(&failures_left, 1);
    errno = ENOMEM;
    return true;
}

void os_pretend_page_bytes(size_t bytes)
{
    atomic_store(&pretended_page_bytes, bytes);
}

size_t os_page_bytes(void)
{
    static _Atomic size_t page_bytes; /* relaxed: every thread would write the same value */
    size_t pretended = atomic_load_explicit(&pretended_page_bytes, memory_order_relaxed);
    if (unlikely(pretended != 0)) {
        return pretended;
    }
    size_t bytes = atomic_load_explicit(&page_bytes, memory_order_relaxed);
    if (unlikely(bytes == 0)) {
        bytes = getauxval(AT_PAGESZ);
        atomic_store_explicit(&page_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

static void *map_at(void *hint, size_t bytes, int flags)
{
    if (failure_is_due()) {
        return NULL;
    }
    void *start = mmap(hint, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

/* Maps too much and gives back both ends. */
static void *map_trimmed(size_t bytes, size_t alignment)
{
    size_t padded_bytes = bytes + alignment;
    char *padded = padded_bytes < bytes ? NULL : map_at(NULL, padded_bytes, 0);
    if (padded == NULL) {
        return NULL;
    }
    size_t head_bytes = align_up((size_t)padded, alignment) - (size_t)padded;
    size_t tail_bytes = padded_bytes - head_bytes - bytes;
    if (head_bytes != 0) {
        munmap(padded, head_bytes);
    }
    if (tail_bytes != 0) {
        munmap(padded + head_bytes + bytes, tail_bytes);
    }
    return padded + head_bytes;
}

void *os_map(size_t bytes, size_t alignment, void *hint, const char *name)
{
    bytes = align_up(bytes, os_page_bytes());
    void *start = map_at(hint, bytes, 0);
    if (start != NULL && ((size_t)start & (alignment - 1)) != 0) {
        munmap(start, bytes);
        start = map_trimmed(bytes, alignment);
    }
    if (start != NULL) {
        int saved_errno = errno;
        prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, bytes, name);
        errno = saved_errno;
    }
    return start;
}

bool os_unmap(void *start, size_t bytes)
{
    bytes = align_up(bytes, os_page_bytes());
    if (munmap(start, bytes) == 0) {
        return true;
    }
    madvise(start, bytes, MADV_DONTNEED);
    return false;
}

bool os_remap(void *start, size_t old_bytes, size_t new_bytes, void *target)
{
    int flags = target == NULL ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
    int saved_errno = errno;
    bool is_done = !failure_is_due() &&
                   mremap(start, align_up(old_bytes, os_page_bytes()),
                          align_up(new_bytes, os_page_bytes()), flags, target) != MAP_FAILED;
    errno = saved_errno; /* it may fit elsewhere */
    return is_done;
}

bool os_purge(void *start, size_t bytes)
{
    return !failure_is_due() && madvise(start, bytes, MADV_DONTNEED) == 0;
}

static _Atomic bool cannot_populate; /* relaxed: learnt from the first refusal */

bool os_can_populate(void)
{
    return !atomic_load_explicit(&cannot_populate, memory_order_relaxed);
}

void os_populate(void *start, size_t bytes)
{
    if (madvise(start, bytes, MADV_POPULATE_WRITE) != 0) {
        atomic_store_explicit(&cannot_populate, true, memory_order_relaxed);
    }
}

bool os_resident(const void *start, size_t bytes, uint8_t *pages)
{
    bool is_pretended = atomic_load_explicit(&pretended_page_bytes, memory_order_relaxed) != 0;
    return !is_pretended && mincore((void *)(uintptr_t)start, bytes, pages) == 0;
}

bool os_allow_huge_pages(void *start, size_t bytes)
{
    return madvise(start, bytes, MADV_HUGEPAGE) == 0;
}

void os_refuse_huge_pages(void *start, size_t bytes)
{
    int saved_errno = errno;
    madvise(start, bytes, MADV_NOHUGEPAGE);
    errno = saved_errno;
}

/* With vm.overcommit_memory=2. */
static bool addresses_count_as_memory(void)
{
    static _Atomic int mode; /* as the file says it; relaxed: every thread finds the same */
    char text[4] = "";
    if (atomic_load_explicit(&mode, memory_order_relaxed) == '\0') {
        os_read_file("/proc/sys/vm/overcommit_memory", text, sizeof(text));
        atomic_store_explicit(&mode, text[0] != '\0' ? text[0] : '?', memory_order_relaxed);
    }
    return atomic_load_explicit(&mode, memory_order_relaxed) == '2';
}

static bool is_limited(const struct rlimit *limit, int error)
{
    return error == 0 && limit->rlim_cur != RLIM_INFINITY;
}

bool os_addresses_are_dear(void)
{
    struct rlimit all;
    struct rlimit data; /* private writable mappings are data */
    return is_limited(&all, getrlimit(RLIMIT_AS, &all)) ||
           is_limited(&data, getrlimit(RLIMIT_DATA, &data)) || addresses_count_as_memory();
}

_Atomic uint32_t *os_map_fork_mark(void)
{
    _Atomic uint32_t *mark = os_map(os_page_bytes(), os_page_bytes(), NULL, "poolmalloc fork mark");
    if (mark != NULL && madvise(mark, os_page_bytes(), MADV_WIPEONFORK) != 0) {
        os_unmap(mark, os_page_bytes());
        return NULL;
    }
    return mark;
}

long os_read_file(const char *path, char *text, size_t capacity)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    size_t length = 0;
    ssize_t got;
    while (length < capacity - 1 &&
           (got = read(descriptor, text + length, capacity - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(descriptor);
    text[length] = '\0';
    return (long)length;
}

unsigned os_cpu_affinity(void)
{
    uint64_t mask[128]; /* the raw call: libc's CPU_ALLOC would call malloc on large machines */
    long mask_bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
    unsigned cpus = 0;
    for (long i = 0; i < mask_bytes / (long)sizeof(mask[0]); i++) {
        cpus += count_set_bits(mask[i]);
    }
    return cpus != 0 ? cpus : 1;
}

uint64_t os_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * MS_PER_SECOND + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MS;
}

uint64_t os_unix_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec;
}

uint64_t os_random(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value)) {
        const void *seed = (const void *)getauxval(AT_RANDOM); /* 16 random bytes per exec */
        memcpy(&value, seed, sizeof(value));
        value += os_now_ms();
    }
    return value;
}

uint32_t os_process_id(void)
{
    return (uint32_t)getpid();
}

uint32_t os_thread_id(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

bool os_environment_is_ready(void)
{
    return environ != NULL;
}

const char *os_environment(const char *name)
{
    return environ == NULL || getauxval(AT_SECURE) != 0 ? NULL : getenv(name);
}

void os_sleep_ms(unsigned milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / MS_PER_SECOND,
                            .tv_nsec = (long)(milliseconds % MS_PER_SECOND) * NANOSECONDS_PER_MS};
    nanosleep(&time, NULL);
}

void os_name_thread(const char *name)
{
    prctl(PR_SET_NAME, name);
}

bool os_on_signal(int number, void (*handler)(int number))
{
    struct sigaction now;
    struct sigaction ours = {.sa_handler = handler, .sa_flags = SA_RESTART};
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
           sigaction(number, &ours, NULL) == 0;
}

void os_write(int descriptor, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(descriptor, text, bytes);
        if (written < 0 && errno != EINTR) {
            return;
        }
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
}

void os_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void os_wait_ms(const _Atomic uint32_t *word, uint32_t expected, uint64_t ms)
{
    struct timespec limit = {.tv_sec = (time_t)(ms / MS_PER_SECOND),
                             .tv_nsec = (long)(ms % MS_PER_SECOND) * NANOSECONDS_PER_MS};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &limit, NULL, 0);
}

void os_wake(const _Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
