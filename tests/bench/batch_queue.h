/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded queue of batches of blocks between threads, in own memory (it never calls malloc).
 * Many threads may push and pop; a push waits while the queue is full, a pop while it is empty.
 */
#ifndef BATCH_QUEUE_H
#define BATCH_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { BATCH_BLOCKS = 128 };

struct batch {
    size_t count; /* of blocks in use */
    void *blocks[BATCH_BLOCKS];
};

struct batch_queue {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t can_push, can_pop;
    struct batch *ring;
    size_t capacity, first, count;
    bool closed;
};

void queue_init(struct batch_queue *queue, size_t capacity);
void queue_push(struct batch_queue *queue, const struct batch *batch);

/* False once the queue is closed and empty. */
bool queue_pop(struct batch_queue *queue, struct batch *batch);
void queue_close(struct batch_queue *queue);

#endif
