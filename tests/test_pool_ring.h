/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POOLMALLOC_TEST_POOL_RING_H
#define POOLMALLOC_TEST_POOL_RING_H

/* test_pool_ring_schedules.c */
void test_every_schedule(void);

#endif
