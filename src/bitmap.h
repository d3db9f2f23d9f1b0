/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of bits in an array of 64-bit words. Bit i is bit i % 64 of word i / 64. No locks. */
#ifndef POOLMALLOC_BITMAP_H
#define POOLMALLOC_BITMAP_H

#include "bits.h"

enum { BITMAP_WORD_BITS = 64 };

#define BITMAP_WORDS(bits) (((bits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

/* The bits of word `index` that lie in [first, end). */
static inline uint64_t bitmap_mask(unsigned index, unsigned first, unsigned end)
{
    unsigned word_first = index * BITMAP_WORD_BITS;
    unsigned from = first > word_first ? first - word_first : 0;
    unsigned to = end - word_first;
    return lowest_bits(to) & ~lowest_bits(from);
}

static inline void bitmap_set(uint64_t *words, unsigned first, unsigned end)
{
    for (unsigned i = first / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < end; i++) {
        words[i] |= bitmap_mask(i, first, end);
    }
}

static inline void bitmap_clear(uint64_t *words, unsigned first, unsigned end)
{
    for (unsigned i = first / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < end; i++) {
        words[i] &= ~bitmap_mask(i, first, end);
    }
}

static inline bool bitmap_any(const uint64_t *words, unsigned first, unsigned end)
{
    for (unsigned i = first / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < end; i++) {
        if ((words[i] & bitmap_mask(i, first, end)) != 0) {
            return true;
        }
    }
    return false;
}

static inline bool bitmap_test(const uint64_t *words, unsigned bit)
{
    return (words[bit / BITMAP_WORD_BITS] >> (bit % BITMAP_WORD_BITS) & 1) != 0;
}

/* The first bit at or after `from` that equals `value`, or `end`. */
static inline unsigned bitmap_find(const uint64_t *words, bool value, unsigned from, unsigned end)
{
    uint64_t flip = value ? 0 : ~UINT64_C(0);
    for (unsigned i = from / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < end; i++) {
        uint64_t found = (words[i] ^ flip) & bitmap_mask(i, from, end);
        if (found != 0) {
            return i * BITMAP_WORD_BITS + lowest_set_bit(found);
        }
    }
    return end;
}

/* The first bit behind the last one before `from` that is set, or 0. */
static inline unsigned bitmap_zeros_before(const uint64_t *words, unsigned from)
{
    for (unsigned i = (from + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS; i-- > 0;) {
        uint64_t set = words[i] & bitmap_mask(i, 0, from);
        if (set != 0) {
            return i * BITMAP_WORD_BITS + log2_floor(set) + 1;
        }
    }
    return 0;
}

/* A bit is set where `count` bits of the word in a row are set from it on. count: 1 .. 64. */
static inline uint64_t bitmap_rows(uint64_t word, unsigned count)
{
    while (count > 1) {
        word &= word >> (count / 2);
        count -= count / 2;
    }
    return word;
}

/* Where the first `count` zeros in a row begin, or `bits`, a multiple of 64. count: not 0. */
static inline unsigned bitmap_find_zeros(const uint64_t *words, unsigned bits, unsigned count)
{
    unsigned zeros = 0; /* in a row, up to the word */
    for (unsigned i = 0; i < bits / BITMAP_WORD_BITS; i++) {
        uint64_t word = words[i];
        unsigned first = i * BITMAP_WORD_BITS;
        unsigned low_zeros = word == 0 ? BITMAP_WORD_BITS : lowest_set_bit(word);
        if (zeros + low_zeros >= count) {
            return first - zeros;
        }
        if (word == 0) {
            zeros += BITMAP_WORD_BITS;
            continue;
        }
        uint64_t rows = count < BITMAP_WORD_BITS ? bitmap_rows(~word, count) : 0;
        if (rows != 0) {
            return first + lowest_set_bit(rows);
        }
        zeros = BITMAP_WORD_BITS - 1 - log2_floor(word);
    }
    return bits;
}

static inline unsigned bitmap_count(const uint64_t *words, unsigned first, unsigned end)
{
    unsigned count = 0;
    for (unsigned i = first / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < end; i++) {
        count += count_set_bits(words[i] & bitmap_mask(i, first, end));
    }
    return count;
}

#endif
