/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens at the start, at fork and at the end of a process. Nothing relies on the start
 * having happened: the first malloc of the dynamic loader comes before it.
 *
 * A process of one thread prepares for nothing: no thread of its can be gone in a child. */
#ifndef POOLMALLOC_LIFECYCLE_H
#define POOLMALLOC_LIFECYCLE_H

#include <stdbool.h>

/* Before the program's second thread is made: registers what a forked child has to do. */
void lifecycle_before_thread(void);

/* Defined where pthread_create is wrapped to call it; else it is called at the start. */
extern const bool lifecycle_sees_threads __attribute__((weak));

#endif
