/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for model-based tests: the same sequence for the same seed on every machine. */
#ifndef POOLMALLOC_TEST_RANDOM_H
#define POOLMALLOC_TEST_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* not 0 */
};

static inline struct random random_from(uint64_t seed)
{
    return (struct random){seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

/* Source: Marsaglia 2003, "Xorshift RNGs"; Vigna's multiplier. */
static inline uint64_t random_next(struct random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number in [0, bound). */
static inline unsigned random_below(struct random *random, unsigned bound)
{
    return (unsigned)((random_next(random) >> 32) * bound >> 32);
}

/* A number in [first, last]. */
static inline unsigned random_between(struct random *random, unsigned first, unsigned last)
{
    return first + random_below(random, last - first + 1);
}

#endif
