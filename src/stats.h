/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POOLMALLOC_STATS_H
#define POOLMALLOC_STATS_H
/* Prints what POOLMALLOC_STATS asks for. */
void stats_at_exit(void);
#endif
