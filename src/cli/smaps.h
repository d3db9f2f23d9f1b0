/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of a process's memory, mapping by mapping, and whose it is. */
#ifndef POOLMALLOC_CLI_SMAPS_H
#define POOLMALLOC_CLI_SMAPS_H

#include "view.h"

enum owner {
    OWNER_POOL,   /* mappings that hold memory of the library's, whole or in part */
    OWNER_FILES,  /* the program, its libraries, mapped files */
    OWNER_STACKS, /* of the first thread and, behind a guard page, of the others */
    OWNER_HEAP,   /* brk: a program or libc that does not ask malloc */
    OWNER_SHARED, /* shared memory */
    OWNER_OTHER,  /* anonymous mappings that the program made itself */
    OWNER_COUNT,
};

struct smaps {
    uint64_t resident;              /* of the whole process */
    uint64_t swapped;               /* of the whole process */
    uint64_t by_owner[OWNER_COUNT]; /* resident */
    uint64_t huge_pages;            /* of OWNER_POOL, in transparent huge pages */
    unsigned stack_count;           /* stacks that are resident in part */
    uint64_t largest_foreign;       /* resident bytes of the largest mapping that is not ours */
    char largest_foreign_name[256];
};

/* false: not readable. */
bool smaps_read(struct smaps *smaps, const struct view *view);

#endif
