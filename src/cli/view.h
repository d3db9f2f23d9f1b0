/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The allocator inside a running process, read from outside: the library's own collector of
 * statistics over process_vm_readv, and a walk over chunks for the heap map. The process is never
 * stopped, so what is read is a moment's; addresses are checked, never trusted. */
#ifndef POOLMALLOC_CLI_VIEW_H
#define POOLMALLOC_CLI_VIEW_H

#include "process.h"

#include "stats.h"

struct view {
    struct reader reader; /* first: the collector hands it back */
    struct process process;
    struct layout layout;
    int pagemap; /* descriptor of /proc/PID/pagemap, -1: which pages are resident is not known */
    struct stats stats;
};

/* Opens the process a user names, or ends the command with one line. command: for that line. */
void view_open(struct view *view, const char *command, const char *pid_text);

/* Collects the statistics anew. false: the process is gone. */
bool view_update(struct view *view);

/* The parts of the allocator's resident memory: they add up to it. What was handed out but never
 * written to is taken off the part that it must belong to most likely. */
struct resident_parts {
    uint64_t in_use;
    uint64_t rounding;
    uint64_t free_slots;
    uint64_t depots;
    uint64_t thread_caches;
    uint64_t free_pages;
    uint64_t metadata;
};
struct resident_parts view_parts(const struct view *view);

/* What a chunk's descriptor says, without its slots' bitmaps. */
struct chunk_view {
    unsigned arena;
    const struct chunk *chunk;
};

/* Calls visit for every chunk of every arena, in the order of arenas. */
void view_chunks(const struct view *view, void (*visit)(void *context, struct chunk_view chunk),
                 void *context);

/* Calls visit for every mapping of the library's: chunks, huge blocks, metadata, page map. */
void view_ranges(const struct view *view,
                 void (*visit)(void *context, const void *start, size_t bytes), void *context);

/* A thread cache, as a reader sees it. */
struct thread_view {
    unsigned arena;
    uint32_t os_thread_id;
    uint64_t cached_bytes; /* in loaded magazines */
    uint64_t slow_calls;   /* since the cache was made; threads inherit it */
};

/* Calls visit for every cache that a living thread has. */
void view_threads(const struct view *view, void (*visit)(void *context, struct thread_view thread),
                  void *context);

/* Calls visit for every huge block. */
void view_huge(const struct view *view, void (*visit)(void *context, struct huge huge),
               void *context);

#endif
