/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope guards: what a variable holds is given back when its scope ends, whichever way it ends;
 * C's counterpart of `defer`, on the cleanup attribute of gcc and clang.
 *
 *     PM_AUTO_FREE char *line = pm_malloc(100);
 *     PM_AUTO_RELEASE pm_buf *reply = pm_buf_create(512, 4096);
 *     PM_AUTO_PUT pm_held request = pm_pool_hold(requests);      request.object, or NULL
 *     if (...) {
 *         return NULL;                                           all three go back
 *     }
 *     return pm_keep(reply);                                     only the other two
 *
 * A guarded variable must be initialised: its scope may end at once. Not after longjmp.
 */
#ifndef PM_SCOPE_H
#define PM_SCOPE_H

#include "../poolmalloc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frees the block, releases the buffer, puts the object back. Preserves errno. NULL is fine. */
#define PM_AUTO_FREE __attribute__((cleanup(pm_scope_free)))
#define PM_AUTO_RELEASE __attribute__((cleanup(pm_scope_release)))
#define PM_AUTO_PUT __attribute__((cleanup(pm_scope_put)))

/* Takes what a guarded variable holds out of its guard; the caller owns it now. */
#define pm_keep(variable)                                                                          \
    __extension__({                                                                                \
        __typeof__(variable) pm_kept_ = (variable);                                                \
        (variable) = NULL;                                                                         \
        pm_kept_;                                                                                  \
    })

/* An object together with the pool it goes back to. */
typedef struct pm_held {
    pm_pool *pool;
    void *object; /* NULL: nothing is held; pm_keep(held.object) takes it out */
} pm_held;

static inline pm_held pm_pool_hold(pm_pool *pool)
{
    pm_held held = {pool, pm_pool_get(pool)};
    return held;
}

/* What the guards call, with the address of the variable. */
static inline void pm_scope_free(void *variable)
{
    void *block;
    __builtin_memcpy(&block, variable, sizeof(block)); /* a pointer of whatever type */
    pm_free(block);
}

static inline void pm_scope_release(pm_buf **variable)
{
    pm_buf_release(*variable);
}

static inline void pm_scope_put(pm_held *held)
{
    pm_pool_put(held->pool, held->object);
}

#ifdef __cplusplus
}
#endif

#endif
