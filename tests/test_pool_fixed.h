/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POOLMALLOC_TEST_POOL_FIXED_H
#define POOLMALLOC_TEST_POOL_FIXED_H

/* test_pool_fixed_schedules.c */
void test_every_fixed_schedule(void);

#endif
