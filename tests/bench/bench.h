/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every benchmark program shares: a clock, fixed random numbers, block sizes from the command
 * line, memory of its own, and the lines it prints.
 *
 * The programs are plain C and call malloc and free only; which allocator answers is decided
 * outside, by LD_PRELOAD. Compiled with -fno-builtin, so no call can be optimised away.
 *
 * Output, tab separated, one of:
 *     time    workload  operations  ns_per_operation  peak_bytes
 *     value   label     number
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The same numbers in every run: xorshift64 (Marsaglia 2003). */
struct rng {
    uint64_t state; /* never 0 */
};

static inline struct rng rng_seeded(uint64_t seed)
{
    return (struct rng){.state = 0x9e3779b97f4a7c15u * (seed + 1)};
}

static inline uint64_t rng_next(struct rng *rng)
{
    rng->state ^= rng->state << 13;
    rng->state ^= rng->state >> 7;
    rng->state ^= rng->state << 17;
    return rng->state;
}

/* 0 .. bound - 1, from the upper half of a 64-bit number; bound below 2^32. */
static inline size_t rng_below(struct rng *rng, size_t bound)
{
    return ((rng_next(rng) >> 32) * bound) >> 32;
}

/*
 * Block sizes, written on the command line as
 *     64         always 64 bytes
 *     16-1000    16 to 1000, each as likely
 *     16~4096    16 to 4096, each doubling as likely: many small, few large
 */
struct sizes {
    size_t min_bytes, max_bytes;
    unsigned doublings; /* 0 unless '~' was given */
};

struct sizes sizes_parse(const char *text);
size_t sizes_pick(const struct sizes *sizes, struct rng *rng);

/* First and last word, as a program would touch a small block. bytes is at least 8. */
static inline void touch_ends(void *block, size_t bytes)
{
    volatile uint64_t *words = block;
    words[0] = bytes;
    words[bytes / sizeof *words - 1] = bytes;
}

/* One word in every 4 KiB: all of the block becomes resident. */
static inline void touch_pages(void *block, size_t bytes)
{
    for (size_t offset = 0; offset < bytes; offset += 4096)
        *(volatile uint64_t *)((char *)block + offset) = bytes;
    touch_ends(block, bytes);
}

/* Programs with one thread are measured in CPU time of the process, the kernel's work and any
 * thread the allocator started included: the same as the clock's on a quiet machine, and hardly
 * disturbed by a busy one. Programs with several threads are measured by the clock. */
uint64_t cpu_ns(void);
uint64_t clock_ns(void);
void sleep_ms(unsigned ms);

/* malloc that ends the program instead of returning NULL. */
void *must_malloc(size_t bytes);

/* Memory for the program's own tables: zeroed, resident at once, never from malloc, and taken out
 * of peak_bytes() and resident_bytes(). */
void *own_memory(size_t bytes);

/* 0 .. count - 1 in random order, in own memory. */
uint32_t *own_permutation(struct rng *rng, size_t count);

/* Exact, by walking the page tables. */
size_t resident_bytes(void);

/* The kernel counts the peak in steps per CPU and is some 100 KiB off; where no more than that lies
 * between it and what is resident now, the exact figure is taken. */
size_t peak_bytes(void);

/* Runs body once per context, each in a thread of its own, and waits for all. */
void run_together(void *(*body)(void *), void *contexts, size_t context_bytes, unsigned count);

/* Command line: argument number index, or the program ends with the usage line. */
const char *argument(char **argv, unsigned index, const char *usage);
uint64_t argument_number(char **argv, unsigned index, const char *usage);

void report_time(char **argv, uint64_t operations, uint64_t ns);
void report_value(const char *label, double number);

#endif
