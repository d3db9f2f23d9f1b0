/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much is mapped, for tests that nothing stays behind after a failure. */
#ifndef POOLMALLOC_TEST_ADDRESS_SPACE_H
#define POOLMALLOC_TEST_ADDRESS_SPACE_H

#include "os.h"

#include <stdlib.h>

/* Mapped pages of this process, by the kernel's count. */
static inline unsigned long mapped_os_pages(void)
{
    char text[256];
    return os_read_file("/proc/self/statm", text, sizeof(text)) < 0 ? 0 : strtoul(text, NULL, 10);
}

#endif
