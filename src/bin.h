/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots between an arena's bitmaps and a magazine: refill and flush.
 *
 * Refill takes the free slots of the bin's first subpages, lowest address of each first, and cuts
 * a new subpage when there is none. A subpage that gets its first free slot back becomes the first
 * of its bin: nearly full ones are filled again, sparse ones drain and leave.
 * Flush sets bits, neighbours under one look-up and a whole magazine under one lock where its
 * slots belong to one arena. A bit that is set already, or an address that is no slot, ends the
 * process: this is where a double free that lay in a cache is found.
 *
 * Cost: about one imul, one load and one read-modify-write of metadata a slot. */
#ifndef POOLMALLOC_BIN_H
#define POOLMALLOC_BIN_H

#include "arena.h"

/* Writes up to `wanted` slots of a small class downwards from slots_end, so that the lowest address
 * is on top of a stack that ends there. Returns how many; 0: out of memory. */
unsigned bin_refill(struct arena *arena, unsigned class, void **slots_end, unsigned wanted);

/* Gives slots of a small class, or runs of a normal one, back to the arenas they came from. */
void bin_flush(unsigned class, void *const *slots, unsigned count);

/* Is the slot at this address taken, as far as bitmaps know (cached slots are)?
 * class: of the address, small. *block: the start of the slot that holds the address. */
bool bin_slot_is_taken(const void *address, void **block);

/* Purges the OS pages of a subpage that no taken slot touches. Returns the bytes given back.
 * subpage: any page descriptor of the arena; what is no subpage of its epoch is left alone. */
size_t bin_purge_subpage(struct arena *arena, struct page *subpage);

bool bin_is_valid(struct arena *arena, unsigned class);

#endif
