/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does an idle program give memory back?
 * MIB of small blocks are allocated; all but a random 1 % are freed; the program sleeps for 3 s and
 * then calls malloc_trim. With THREADS 2 a second thread is alive all the time, asleep.
 * Printed: resident MiB at each point, and the bound: the OS pages that hold surviving blocks,
 * below which no allocator can go without moving blocks.
 */
#include "bench.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

static const char usage[] = "usage: idle_return THREADS MIB";

enum { MEAN_BYTES = 264, OS_PAGE_BYTES = 4096 };

static const struct sizes small = {.min_bytes = 16, .max_bytes = 512};

struct survivors {
    void **blocks;
    size_t count, live_bytes;
};

static void *sleep_for_ever(void *context)
{
    free(malloc(100));
    pthread_barrier_wait(context);
    for (;;)
        sleep_ms(1000);
    return NULL;
}

static void start_second_thread(void)
{
    pthread_t thread;
    pthread_barrier_t started;
    pthread_barrier_init(&started, NULL, 2);
    pthread_create(&thread, NULL, sleep_for_ever, &started);
    pthread_barrier_wait(&started);
}

static void free_most(struct survivors *survivors, size_t count)
{
    struct rng rng = rng_seeded(2);
    for (size_t i = 0; i < count; i++) {
        void *block = survivors->blocks[i];
        if (rng_below(&rng, 100) == 0) {
            survivors->live_bytes += malloc_usable_size(block);
            survivors->blocks[survivors->count++] = block;
        } else {
            free(block);
        }
    }
}

/* Distinct OS pages of the survivors, counted in a hash set. */
static size_t pages_touched(const struct survivors *survivors)
{
    size_t slots = 1, pages = 0;
    while (slots < 4 * survivors->count)
        slots *= 2;
    uintptr_t *set = own_memory(slots * sizeof *set);
    for (size_t i = 0; i < survivors->count; i++) {
        uintptr_t first = (uintptr_t)survivors->blocks[i];
        uintptr_t last = first + malloc_usable_size(survivors->blocks[i]) - 1;
        for (uintptr_t page = first / OS_PAGE_BYTES; page <= last / OS_PAGE_BYTES; page++) {
            size_t slot = page * 0x9e3779b97f4a7c15u & (slots - 1);
            while (set[slot] && set[slot] != page)
                slot = (slot + 1) & (slots - 1);
            pages += set[slot] == 0;
            set[slot] = page;
        }
    }
    return pages;
}

static double mib(size_t bytes)
{
    return (double)bytes / 1048576;
}

int main(int argc, char **argv)
{
    (void)argc;
    uint64_t threads = argument_number(argv, 1, usage);
    size_t count = (argument_number(argv, 2, usage) << 20) / MEAN_BYTES;
    struct survivors survivors = {.blocks = own_memory(count * sizeof(void *))};
    struct rng rng = rng_seeded(1);
    if (threads > 1)
        start_second_thread();
    for (size_t i = 0; i < count; i++) {
        size_t bytes = sizes_pick(&small, &rng);
        survivors.blocks[i] = must_malloc(bytes);
        memset(survivors.blocks[i], 1, bytes);
    }
    report_value("full, MiB", mib(resident_bytes()));
    free_most(&survivors, count);
    report_value("freed, MiB", mib(resident_bytes()));
    sleep_ms(3000);
    size_t idle_bytes = resident_bytes();
    malloc_trim(0);
    size_t trimmed_bytes = resident_bytes();
    size_t bound_bytes = pages_touched(&survivors) * OS_PAGE_BYTES;
    report_value("after 3 s, MiB", mib(idle_bytes));
    report_value("after malloc_trim, MiB", mib(trimmed_bytes));
    report_value("bound, MiB", mib(bound_bytes));
    report_value("after 3 s, over bound", (double)idle_bytes / (double)bound_bytes);
    report_value("after malloc_trim, over bound", (double)trimmed_bytes / (double)bound_bytes);
    return 0;
}
