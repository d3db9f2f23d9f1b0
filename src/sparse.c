/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sparse.h"

#include "alone.h"
#include "bits.h"
#include "config.h"
#include "os.h"

enum { MIN_PAGES = 256, LOOK_EVERY = 17, PLACES = 3, PLACE_PAGES = 8, FEW_PAGES = 6 };

static _Atomic uint32_t frees; /* relaxed: chooses, orders nothing */

/* Does a sample of its pages have few that are resident? Not where the kernel does not tell. */
static bool is_sparse(const char *start, size_t bytes, size_t os_bytes)
{
    uint8_t resident[PLACE_PAGES];
    unsigned resident_pages = 0;
    for (size_t i = 1; i <= PLACES; i++) {
        const char *place = start + align_down(bytes / (PLACES + 1) * i, os_bytes);
        if (!os_resident(place, PLACE_PAGES * os_bytes, resident)) {
            return false;
        }
        for (unsigned page = 0; page < PLACE_PAGES; page++) {
            resident_pages += resident[page] & 1;
        }
    }
    return resident_pages <= FEW_PAGES;
}

bool sparse_purge(void *start, size_t bytes)
{
    size_t os_bytes = os_page_bytes();
    bool is_whole = (((size_t)start | bytes) & (os_bytes - 1)) == 0;
    if (bytes < MIN_PAGES * os_bytes || !is_whole || config.decay_ms == DECAY_NEVER) {
        return false;
    }
    counter_add_32(&frees, 1);
    bool is_due = atomic_load_explicit(&frees, memory_order_relaxed) % LOOK_EVERY == 0;
    return is_due && is_sparse(start, bytes, os_bytes) && os_purge(start, bytes);
}
