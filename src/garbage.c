/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "garbage.h"

#include "bits.h"

enum { REGRET_MS = 2000, REGRET_FACTOR = 8, LIVE_SHARE = 2, FORGET_SHARE = 16 };

bool garbage_is_due(struct garbage *garbage, uint64_t garbage_bytes, uint64_t live_bytes,
                    uint64_t now_ms)
{
    bool is_soon = now_ms - garbage->regret_ms < REGRET_MS;
    if (is_soon && garbage->regret_bytes != 0 && live_bytes >= garbage->regret_bytes) {
        garbage->step_bytes =
            larger(garbage->step_bytes, GARBAGE_STEP_BYTES) * (uint64_t)REGRET_FACTOR;
        garbage->regret_bytes = 0;
    }
    garbage->left_bytes = smaller(garbage->left_bytes, garbage_bytes);
    return garbage_bytes - garbage->left_bytes >
           larger(garbage->step_bytes, live_bytes / LIVE_SHARE);
}

void garbage_note_purge(struct garbage *garbage, uint64_t purged_bytes, uint64_t left_bytes,
                        uint64_t live_bytes, uint64_t now_ms)
{
    garbage->step_bytes = GARBAGE_NEXT_BYTES;
    garbage->left_bytes = left_bytes;
    garbage->regret_bytes = live_bytes + purged_bytes / 2;
    garbage->regret_ms = now_ms;
}

void garbage_age(struct garbage *garbage)
{
    uint64_t step = garbage->step_bytes;
    garbage->step_bytes = step < GARBAGE_STEP_BYTES
                              ? smaller(2 * step, GARBAGE_STEP_BYTES)
                              : larger(step - step / FORGET_SHARE, GARBAGE_STEP_BYTES);
}
