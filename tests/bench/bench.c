/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every benchmark program shares; see bench.h. Nothing here calls malloc, so that the numbers
 * belong to the program alone. */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 1024, COUNTER_ERROR_BYTES = 512 * 1024 };

static size_t own_bytes; /* handed out by own_memory; main thread only */

static _Noreturn void fail(const char *what)
{
    dprintf(STDERR_FILENO, "%s\n", what);
    _exit(2);
}

struct sizes sizes_parse(const char *text)
{
    char *rest;
    struct sizes sizes = {.min_bytes = strtoull(text, &rest, 10)};
    sizes.max_bytes = *rest ? strtoull(rest + 1, NULL, 10) : sizes.min_bytes;
    if (sizes.min_bytes < sizeof(uint64_t) || sizes.max_bytes < sizes.min_bytes)
        fail("sizes: 64, 16-1000 or 16~4096; at least 8 bytes");
    if (*rest == '~')
        while (sizes.min_bytes << (sizes.doublings + 1) <= sizes.max_bytes)
            sizes.doublings++;
    return sizes;
}

size_t sizes_pick(const struct sizes *sizes, struct rng *rng)
{
    if (sizes->doublings == 0)
        return sizes->min_bytes + rng_below(rng, sizes->max_bytes - sizes->min_bytes + 1);
    size_t base = sizes->min_bytes << rng_below(rng, sizes->doublings);
    return base + rng_below(rng, base + 1);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

void *must_malloc(size_t bytes)
{
    void *block = malloc(bytes);
    if (!block)
        fail("out of memory");
    return block;
}

void *own_memory(size_t bytes)
{
    bytes = (bytes + 4095) / 4096 * 4096;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail("own_memory: mmap failed");
    own_bytes += bytes;
    return memory;
}

uint32_t *own_permutation(struct rng *rng, size_t count)
{
    uint32_t *order = own_memory(count * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        size_t j = rng_below(rng, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return order;
}

/* The number after key in a /proc file, in kB there, returned in bytes. */
static size_t proc_bytes(const char *path, const char *key)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0)
        fail(path);
    close(fd);
    text[length] = '\0';
    const char *line = strstr(text, key);
    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

size_t resident_bytes(void)
{
    return proc_bytes("/proc/self/smaps_rollup", "\nRss:") - own_bytes;
}

size_t peak_bytes(void)
{
    size_t exact = resident_bytes();
    size_t counted = proc_bytes("/proc/self/status", "\nVmHWM:") - own_bytes;
    return counted > exact + COUNTER_ERROR_BYTES ? counted : exact;
}

void run_together(void *(*body)(void *), void *contexts, size_t context_bytes, unsigned count)
{
    pthread_t threads[MAX_THREADS];
    if (count > MAX_THREADS)
        fail("too many threads");
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, body, (char *)contexts + i * context_bytes) != 0)
            fail("pthread_create failed");
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

const char *argument(char **argv, unsigned index, const char *usage)
{
    for (unsigned i = 0; i <= index; i++)
        if (!argv[i])
            fail(usage);
    return argv[index];
}

uint64_t argument_number(char **argv, unsigned index, const char *usage)
{
    return strtoull(argument(argv, index, usage), NULL, 10);
}

void report_time(char **argv, uint64_t operations, uint64_t ns)
{
    const char *slash = strrchr(argv[0], '/');
    dprintf(STDOUT_FILENO, "time\t%s", slash ? slash + 1 : argv[0]);
    for (unsigned i = 1; argv[i]; i++)
        dprintf(STDOUT_FILENO, " %s", argv[i]);
    dprintf(STDOUT_FILENO, "\t%llu\t%.3f\t%zu\n", (unsigned long long)operations,
            (double)ns / (double)operations, peak_bytes());
}

void report_value(const char *label, double number)
{
    dprintf(STDOUT_FILENO, "value\t%s\t%.4f\n", label, number);
}
