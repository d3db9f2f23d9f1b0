/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that the allocator asks of the kernel. The only module of the library with <sys/mman.h>.
 *
 * Nothing here allocates. Functions that return a pointer return NULL on failure, those that
 * return a bool return false; errno may change, callers that must preserve it save it. */
#ifndef POOLMALLOC_OS_H
#define POOLMALLOC_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's page size in bytes (4, 16 or 64 KiB). */
size_t os_page_bytes(void);

/* Maps zeroed memory, not counted against overcommit until touched.
 * bytes: > 0, rounded up to OS pages; alignment: a power of two; hint: wanted address or NULL;
 * name: shown in /proc/PID/maps where the kernel can, a literal. */
void *os_map(size_t bytes, size_t alignment, void *hint, const char *name);
/* false: the kernel has no room to split a mapping; the memory is given back, the addresses are
 * not. */
bool os_unmap(void *start, size_t bytes);

/* Resizes a mapping where it is (target NULL) or moves it over the mapping at target, which is of
 * new_bytes. false: it stays as it was. */
bool os_remap(void *start, size_t old_bytes, size_t new_bytes, void *target);

/* Drops the contents of whole OS pages, keeps the addresses; they read as zero afterwards. */
bool os_purge(void *start, size_t bytes);

/* Makes pages resident at once, as a write to each would, where the kernel can (Linux 5.14). */
bool os_can_populate(void);
void os_populate(void *start, size_t bytes);

/* For each OS page of a range whether it is resident, in bit 0 of a byte. False: not known. */
bool os_resident(const void *start, size_t bytes, uint8_t *pages);

/* Lets the kernel use huge pages in a span, or asks it not to, as it may by itself where they are
 * enabled always. false: it has none. */
bool os_allow_huge_pages(void *start, size_t bytes);
void os_refuse_huge_pages(void *start, size_t bytes);

/* Are addresses without memory behind them limited too, for this process or by the system? */
bool os_addresses_are_dear(void);

/* CPUs in the affinity mask, at least 1. */
unsigned os_cpu_affinity(void);

uint64_t os_now_ms(void); /* monotone, about 4 ms coarse, no system call where there is a vDSO */
uint64_t os_unix_seconds(void);
uint64_t os_random(void);
uint32_t os_process_id(void);
uint32_t os_thread_id(void);

/* The environment may not be there yet in the very first calls of a process: false then. */
bool os_environment_is_ready(void);
/* NULL: not set, or the process runs with raised privileges (AT_SECURE). */
const char *os_environment(const char *name);

void os_sleep_ms(unsigned milliseconds);
/* name: at most 15 bytes, shown by ps and top. */
void os_name_thread(const char *name);
/* Calls the handler at a signal that has had no handler so far. false: it has one, or no signal
 * has this number. */
bool os_on_signal(int number, void (*handler)(int number));
/* A word that reads 0 in every forked child until it is written there, however the child was made;
 * children that share their parent's memory (vfork) share it. NULL: the kernel cannot do that. */
_Atomic uint32_t *os_map_fork_mark(void);

void os_write(int descriptor, const char *text, size_t bytes);
/* Reads a whole small file, NUL-terminates. Returns its length, or -1. */
long os_read_file(const char *path, char *text, size_t capacity);

/* Waits while *word == expected. May wake early. */
void os_wait(const _Atomic uint32_t *word, uint32_t expected);
/* As os_wait, for at most `ms` milliseconds. */
void os_wait_ms(const _Atomic uint32_t *word, uint32_t expected, uint64_t ms);
void os_wake(const _Atomic uint32_t *word, int count);

/* For tests: after `calls` calls that map, remap or purge, the next `count` fail. */
void os_fail_after(unsigned calls, unsigned count);
unsigned os_failures_left(void);
/* For tests: pretend another page size (a multiple of the real one); 0 ends it. */
void os_pretend_page_bytes(size_t bytes);

#endif
