/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tick.h"

_Atomic uint32_t tick_now;
