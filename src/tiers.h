/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiers of blocks, for modules that keep a block's size themselves. */
#ifndef POOLMALLOC_TIERS_H
#define POOLMALLOC_TIERS_H

#include "poolmalloc.h"

/* The size of the block that pm_tiers_get(tiers, bytes) returns. */
size_t tiers_round_up(const struct pm_tiers *tiers, size_t bytes);
/* pm_tiers_put of a block whose size is known. */
void tiers_put_sized(struct pm_tiers *tiers, void *block, size_t bytes);

#endif
