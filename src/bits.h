/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bit arithmetic with names. Pure functions, no state. */
#ifndef POOLMALLOC_BITS_H
#define POOLMALLOC_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* alignment: a power of two. The caller has excluded wrap-around. */
static inline size_t align_up(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline size_t align_down(size_t value, size_t alignment)
{
    return value & ~(alignment - 1);
}

/* value: not 0. */
static inline unsigned log2_floor(size_t value)
{
    return 63U - (unsigned)__builtin_clzl(value);
}

static inline unsigned log2_ceil(size_t value)
{
    return value <= 1 ? 0 : log2_floor(value - 1) + 1;
}

/* word: not 0. */
static inline unsigned lowest_set_bit(uint64_t word)
{
    return (unsigned)__builtin_ctzl(word);
}

/* How many are set. The compiler's own calls a table of libgcc's, unless it knows the CPU.
 * Source: Warren, "Hacker's Delight", 5-1. */
static inline unsigned count_set_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* At least 0: counters that others advance are read one after the other and may disagree. */
static inline uint64_t minus(uint64_t counter, uint64_t part)
{
    return counter > part ? counter - part : 0;
}

static inline uint64_t lowest_bits(unsigned count)
{
    return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
