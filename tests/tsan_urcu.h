/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Included first in the tsan variant: ThreadSanitizer does not see the inline assembly and volatile
 * reads that liburcu's stacks are made of, and would report every hand-over through them. These are
 * the same operations, with the orderings liburcu promises, in words that it does see. */
#ifndef POOLMALLOC_TESTS_TSAN_URCU_H
#define POOLMALLOC_TESTS_TSAN_URCU_H

#include <urcu/system.h>
#include <urcu/uatomic.h>

#undef uatomic_cmpxchg
#define uatomic_cmpxchg(address, expected, desired)                                                \
    __extension__({                                                                                \
        __typeof__(*(address)) tsan_seen = (expected);                                             \
        __atomic_compare_exchange_n(address, &tsan_seen, desired, 0, __ATOMIC_SEQ_CST,             \
                                    __ATOMIC_SEQ_CST);                                             \
        tsan_seen;                                                                                 \
    })

#undef uatomic_xchg
#define uatomic_xchg(address, value) __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST)

#undef _CMM_LOAD_SHARED
#define _CMM_LOAD_SHARED(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#undef CMM_LOAD_SHARED
#define CMM_LOAD_SHARED(variable) _CMM_LOAD_SHARED(variable)

#endif
