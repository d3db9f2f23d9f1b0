/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers that never came from here: found at once, always, and nothing behind them is read. */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
/* expect: poolmalloc: fatal: free of a pointer that is not from this allocator: ADDRESS */
#include "misuse.h"

#include <stdint.h>
#include <sys/mman.h>

static char global[64];

static void free_address(uintptr_t address)
{
    pm_free(pm_malloc(1)); /* not only before anything was allocated */
    pm_free((void *)address);
}

static void on_the_stack(void)
{
    char local[64];
    free_address((uintptr_t)local);
}

static void a_global(void)
{
    free_address((uintptr_t)global);
}

static void from_another_allocator(void)
{
    free_address((uintptr_t)malloc(64));
}

static void never_mapped(void)
{
    free_address(0x10);
}

static void past_the_address_space(void)
{
    free_address(UINTPTR_MAX - 15);
}

static void past_47_bits(void)
{
    free_address((uintptr_t)1 << 52 | 0x1230);
}

static void already_unmapped(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    free_address((uintptr_t)page);
}

static void before_the_first_allocation(void)
{
    pm_free(global);
}

static void (*const cases[])(void) = {
    on_the_stack,           a_global,
    from_another_allocator, never_mapped,
    past_47_bits,           past_the_address_space,
    already_unmapped,       before_the_first_allocation,
};

int main(int argc, char **argv)
{
    return run_case(argc, argv, cases);
}
