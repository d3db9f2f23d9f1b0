/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole allocating interface against a model: a table of live blocks. The input is a program of
 * operations, each done by one of three threads with a thread cache of its own, in turn. After each
 * step the new block is aligned, usable and overlaps no other, blocks keep their contents however
 * they move, refusals (injected failures of the kernel) are told by errno; validators walk every
 * structure now and then and at the end. */
#include "bin.h"
#include "os.h"
#include "poolmalloc.h"
#include "purge.h"
#include "tcache.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIVE_COUNT = 64,
    THREAD_COUNT = 3,
    STEPS_PER_VALIDATION = 64,
    LIVE_BYTES_AT_MOST = 256 << 20,
    MARKED_BYTES = 4096, /* of a block's start, and as many of its end */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static struct block {
    uint8_t *start;
    size_t bytes;
    size_t alignment;
    uint8_t mark;
} live[LIVE_COUNT];

static size_t live_bytes;
static bool may_be_refused;

#define MUST(holds) ((holds) ? (void)0 : fail(#holds, __LINE__))

static void fail(const char *what, int line)
{
    fprintf(stderr, "allocator:%d: %s\n", line, what);
    abort();
}

/* ---- The input ------------------------------------------------------------------------------ */

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static unsigned next_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* Sizes cluster where the code changes its ways: two bytes say how large and how far from it. */
static size_t next_size(struct input *input)
{
    static const size_t edges[] = {0,       16,      64,       256,     512,   1024,
                                   4096,    8192,    32768,    40960,   65536, 262144,
                                   1 << 20, 4 << 20, 16 << 20, 20 << 20};
    unsigned pick = next_byte(input);
    size_t edge = edges[pick >= 240 ? 12 + pick % 4 : pick % 12]; /* the largest cost the most */
    unsigned offset = next_byte(input);
    size_t bytes = edge + (offset < 128 ? offset * (edge / 128 + 1) : 256 - offset);
    return offset >= 250 ? edge - (edge >= 256 ? 256 - offset : 0) : bytes;
}

static size_t next_alignment(struct input *input)
{
    return (size_t)1 << next_byte(input) % 26;
}

/* ---- The model ------------------------------------------------------------------------------ */

static uint8_t pattern(const struct block *block, size_t offset)
{
    return (uint8_t)(block->mark + offset * 7);
}

static void fill(const struct block *block)
{
    size_t head = block->bytes < MARKED_BYTES ? block->bytes : MARKED_BYTES;
    for (size_t i = 0; i < head; i++) {
        block->start[i] = pattern(block, i);
        block->start[block->bytes - 1 - i] = pattern(block, block->bytes - 1 - i);
    }
}

/* kept_bytes: how many of its first bytes must be as they were filled. */
static void check_contents(const struct block *block, size_t kept_bytes)
{
    size_t head = block->bytes < MARKED_BYTES ? block->bytes : MARKED_BYTES;
    for (size_t i = 0; i < head; i++) {
        size_t tail = block->bytes - 1 - i;
        MUST(i >= kept_bytes || block->start[i] == pattern(block, i));
        MUST(tail >= kept_bytes || block->start[tail] == pattern(block, tail));
    }
}

static void check_place(const struct block *block)
{
    size_t usable = pm_usable_size(block->start);
    MUST(usable >= block->bytes);
    MUST(((uintptr_t)block->start & (block->alignment - 1)) == 0);
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        const struct block *other = &live[i];
        MUST(other == block || other->start == NULL || block->start + usable <= other->start ||
             other->start + pm_usable_size(other->start) <= block->start);
    }
}

static void forget(struct block *block)
{
    live_bytes -= block->bytes;
    *block = (struct block){0};
}

/* Takes a new block into the model; start NULL: it was refused. */
static void remember(struct block *block, void *start, size_t bytes, size_t alignment)
{
    static uint8_t next_mark;
    if (start == NULL) {
        MUST(may_be_refused && errno == ENOMEM);
        return;
    }
    *block = (struct block){start, bytes, alignment < 16 ? 16 : alignment, next_mark++};
    live_bytes += bytes;
    check_place(block);
    fill(block);
}

static void check_structures(void)
{
    for (unsigned i = 0; i < arena_count(); i++) {
        MUST(arena_is_valid(arena_at(i)));
        for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
            MUST(bin_is_valid(arena_at(i), class));
        }
    }
    for (struct tcache *tcache = tcache_first(); tcache != NULL; tcache = tcache->next) {
        MUST(tcache_is_valid(tcache));
    }
}

/* ---- Operations ----------------------------------------------------------------------------- */

static void allocate(struct block *block, unsigned how, struct input *input)
{
    size_t bytes = next_size(input);
    if (live_bytes + bytes > LIVE_BYTES_AT_MOST) {
        return;
    }
    size_t alignment = how >= 3 ? next_alignment(input) : 1;
    void *start = NULL;
    errno = 0;
    switch (how) {
    case 0:
        start = pm_malloc(bytes);
        break;
    case 1:
        start = pm_calloc(bytes / 3, 3);
        bytes = bytes / 3 * 3;
        break;
    case 2:
        start = pm_reallocarray(NULL, bytes, 1);
        break;
    case 3:
        start = pm_aligned_alloc(alignment, bytes);
        break;
    default:
        alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
        errno = pm_posix_memalign(&start, alignment, bytes);
        break;
    }
    for (size_t i = 0; how == 1 && start != NULL && i < bytes; i += bytes < 9000 ? 1 : 509) {
        MUST(((uint8_t *)start)[i] == 0);
    }
    remember(block, start, bytes, alignment);
}

static void release(struct block *block, unsigned how)
{
    check_contents(block, block->bytes);
    errno = 4711;
    if (how == 0 || block->alignment > 16) {
        pm_free(block->start);
    } else {
        pm_free_sized(block->start, block->bytes);
    }
    MUST(errno == 4711);
    forget(block);
}

static void resize(struct block *block, struct input *input)
{
    size_t bytes = next_size(input);
    if (live_bytes + bytes > LIVE_BYTES_AT_MOST) {
        return;
    }
    errno = 0;
    uint8_t *start = pm_realloc(block->start, bytes);
    if (start == NULL && bytes != 0) {
        MUST(may_be_refused && errno == ENOMEM);
        check_contents(block, block->bytes);
        return;
    }
    struct block moved = *block;
    forget(block);
    if (start != NULL) {
        moved.start = start;
        check_contents(&(struct block){start, moved.bytes, 16, moved.mark},
                       bytes < moved.bytes ? bytes : moved.bytes);
        remember(block, start, bytes, 16);
    }
}

static void disturb(unsigned how, struct input *input)
{
    unsigned argument = next_byte(input);
    switch (how % 4) {
    case 0:
        tcache_flush();
        break;
    case 1:
        purge_all();
        break;
    case 2:
        may_be_refused = true;
        os_fail_after(argument % 16, argument / 16);
        break;
    default:
        errno = 0;
        MUST(pm_malloc(SIZE_MAX - argument) == NULL && errno == ENOMEM);
        errno = 0;
        MUST(pm_calloc(SIZE_MAX / 2, argument + 3) == NULL && errno == ENOMEM);
        errno = 0;
        MUST(pm_aligned_alloc(argument | 3, 10) == NULL && errno == EINVAL);
        break;
    }
}

static void step(unsigned operation, struct input *input)
{
    struct block *block = &live[next_byte(input) % LIVE_COUNT];
    unsigned how = operation / 3 % 8;
    if (how == 7) {
        disturb(operation / 24, input);
    } else if (block->start == NULL) {
        allocate(block, how % 5, input);
    } else if (how >= 4) {
        resize(block, input);
    } else {
        release(block, how % 2);
    }
}

/* ---- Threads that take turns ------------------------------------------------------------------
 */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned whose; /* the thread that has work; 0: the main thread, nobody else */
    unsigned operation;
    struct input *input;
} turn = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *take_turns(void *number)
{
    pthread_mutex_lock(&turn.lock);
    for (;;) {
        while (turn.whose != (uintptr_t)number) {
            pthread_cond_wait(&turn.changed, &turn.lock);
        }
        step(turn.operation, turn.input);
        turn.whose = 0;
        pthread_cond_broadcast(&turn.changed);
    }
    return NULL;
}

static void start_threads(void)
{
    static bool are_started;
    for (uintptr_t i = 1; !are_started && i < THREAD_COUNT; i++) {
        pthread_t thread;
        MUST(pthread_create(&thread, NULL, take_turns, (void *)i) == 0);
        pthread_detach(thread);
    }
    are_started = true;
}

static void step_in_thread(unsigned operation, struct input *input)
{
    pthread_mutex_lock(&turn.lock);
    turn.operation = operation;
    turn.input = input;
    turn.whose = operation % THREAD_COUNT;
    pthread_cond_broadcast(&turn.changed);
    while (turn.whose != 0) {
        pthread_cond_wait(&turn.changed, &turn.lock);
    }
    pthread_mutex_unlock(&turn.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct input input = {data, data + data_bytes};
    start_threads();
    for (unsigned steps = 1; input.at < input.end; steps++) {
        unsigned operation = next_byte(&input);
        if (operation % THREAD_COUNT == 0) {
            step(operation, &input);
        } else {
            step_in_thread(operation, &input);
        }
        if (steps % STEPS_PER_VALIDATION == 0) {
            check_structures();
        }
    }
    os_fail_after(0, 0);
    may_be_refused = false;
    for (unsigned i = 0; i < LIVE_COUNT; i++) {
        if (live[i].start != NULL) {
            release(&live[i], i % 2);
        }
    }
    check_structures();
    return 0;
}
