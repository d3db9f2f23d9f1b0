/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded queue of batches of blocks between threads; see batch_queue.h. */
#include "batch_queue.h"
#include "bench.h"

void queue_init(struct batch_queue *queue, size_t capacity)
{
    *queue = (struct batch_queue){.ring = own_memory(capacity * sizeof *queue->ring),
                                  .capacity = capacity};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->can_push, NULL);
    pthread_cond_init(&queue->can_pop, NULL);
}

void queue_push(struct batch_queue *queue, const struct batch *batch)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->capacity)
        pthread_cond_wait(&queue->can_push, &queue->lock);
    queue->ring[(queue->first + queue->count) % queue->capacity] = *batch;
    queue->count++;
    pthread_cond_signal(&queue->can_pop);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_pop(struct batch_queue *queue, struct batch *batch)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->can_pop, &queue->lock);
    bool popped = queue->count > 0;
    if (popped) {
        *batch = queue->ring[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->can_push);
    }
    pthread_mutex_unlock(&queue->lock);
    return popped;
}

void queue_close(struct batch_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->can_pop);
    pthread_mutex_unlock(&queue->lock);
}
