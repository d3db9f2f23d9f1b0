/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who the calling thread is, as far as the lower floors must know: the library's one pointer of
 * static thread-local storage, and the number by which locks name their holder. */
#ifndef POOLMALLOC_SELF_H
#define POOLMALLOC_SELF_H

#include <stdint.h>

struct tcache;

/* Never NULL: a thread without a cache of its own points at a shared empty one. */
extern _Thread_local struct tcache *self_current;

/* Not 0, below 2^31: told from the address of the thread's own variable, so a thread has its number
 * from its first instruction to its last and keeps it in a forked child. Two living threads share
 * one only if their variables lie a multiple of 2 TiB apart. */
static inline uint32_t self_number(void)
{
    return ((uint32_t)((uintptr_t)&self_current >> 10) & 0x7fffffff) | 1;
}

#endif
