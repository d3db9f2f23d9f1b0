/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread that turns the clock while the program's own threads sleep, so that an idle process
 * gives its memory back.
 *
 * It starts with the process (background_thread:on) or with the program's second thread (auto, the
 * default), from places where no lock of libc can be held: the constructor and after a successful
 * pthread_create or thrd_create, never from inside malloc. All signals are blocked in it. It wakes
 * every tick while there is something to age or purge, and sleeps without limit when there is not;
 * the next slow call that reads the clock wakes it.
 *
 * Fork: a child has no such thread; it gets one with its next thread. */
#ifndef POOLMALLOC_BACKGROUND_H
#define POOLMALLOC_BACKGROUND_H

/* At the process's start; when the program made a thread; in a forked child. */
void background_on_start(void);
void background_on_thread(void);
void background_on_fork(void);

#endif
