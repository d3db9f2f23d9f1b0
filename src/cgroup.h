/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the process's control group (v2) and those above it allow; the least of them counts. Read
 * from files at each call. */
#ifndef POOLMALLOC_CGROUP_H
#define POOLMALLOC_CGROUP_H

#include <stdint.h>

/* The smallest memory.max or memory.high. 0: none. */
uint64_t cgroup_memory_limit(void);
/* CPUs worth of the smallest cpu.max, rounded up. 0: none. */
unsigned cgroup_cpu_quota(void);

#endif
