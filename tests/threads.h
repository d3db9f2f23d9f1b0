/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads for unit tests, each with a number. */
#ifndef POOLMALLOC_TEST_THREADS_H
#define POOLMALLOC_TEST_THREADS_H

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
    crew->work(number);
    return NULL;
}

/* Runs work in THREADS threads at once and waits for all. */
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
