/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats.h"
void stats_at_exit(void)
{
}
