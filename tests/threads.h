/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads for unit tests: each has a number, which is also the name by which locks know it. */
#ifndef POOLMALLOC_TEST_THREADS_H
#define POOLMALLOC_TEST_THREADS_H

#include "self.h"

#include <pthread.h>

enum { THREADS = 4 };

struct crew {
    void (*work)(unsigned number); /* 0 .. THREADS - 1 */
    unsigned next;
    pthread_mutex_t lock; /* guards next */
};

static inline void *crew_member(void *argument)
{
    struct crew *crew = argument;
    pthread_mutex_lock(&crew->lock);
    unsigned number = crew->next++;
    pthread_mutex_unlock(&crew->lock);
    struct self self = {.thread_id = 1000 + number};
    struct self *own = self_current;
    self_current = &self;
    crew->work(number);
    self_current = own;
    return NULL;
}

/* Runs work in THREADS threads at once and waits for all. For modules below the thread cache. */
static inline void run_crew(void (*work)(unsigned number))
{
    struct crew crew = {.work = work, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, crew_member, &crew);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

#endif
