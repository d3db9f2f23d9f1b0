/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An auditor for the dynamic linker that allocates in its own namespace. */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>

unsigned la_version(unsigned version)
{
    return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)map;
    (void)space;
    void *volatile block = malloc(100);
    *cookie = (uintptr_t)block;
    free(block);
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
