/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* C++'s operator new and delete in every form, against their mangled names (Itanium C++ ABI).
 *
 * [new.delete]: array and nothrow forms call the program's plain form, which it may have replaced,
 * so those calls go through the procedure linkage table. A failing plain form calls the program's
 * new-handler until it gives up, then throws std::bad_alloc; both come from libstdc++ when the
 * process has it. */
#include "poolmalloc.h"

#include "bits.h"
#include "compiler.h"
#include "panic.h"

#include <stddef.h>

typedef void (*new_handler)(void);

/* libstdc++'s, NULL in a process without it. */
__attribute__((weak)) new_handler _ZSt15get_new_handlerv(void);
__attribute__((weak)) NORETURN void _ZSt17__throw_bad_allocv(void);

struct nothrow;

PUBLIC void *_Znwm(size_t bytes);
PUBLIC void *_Znam(size_t bytes);
PUBLIC void *_ZnwmRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow);
PUBLIC void *_ZnamRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow);
PUBLIC void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment);
PUBLIC void *_ZnamSt11align_val_t(size_t bytes, size_t alignment);
PUBLIC void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                                const struct nothrow *nothrow);
PUBLIC void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                                const struct nothrow *nothrow);
PUBLIC void _ZdlPv(void *block);
PUBLIC void _ZdaPv(void *block);
PUBLIC void _ZdlPvm(void *block, size_t bytes);
PUBLIC void _ZdaPvm(void *block, size_t bytes);
PUBLIC void _ZdlPvRKSt9nothrow_t(void *block, const struct nothrow *nothrow);
PUBLIC void _ZdaPvRKSt9nothrow_t(void *block, const struct nothrow *nothrow);
PUBLIC void _ZdlPvSt11align_val_t(void *block, size_t alignment);
PUBLIC void _ZdaPvSt11align_val_t(void *block, size_t alignment);
PUBLIC void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t alignment);
PUBLIC void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t alignment);
PUBLIC void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                const struct nothrow *nothrow);
PUBLIC void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                const struct nothrow *nothrow);

enum { DEFAULT_NEW_ALIGNMENT = 16 };

static void *try_new(size_t alignment, size_t bytes)
{
    return alignment <= DEFAULT_NEW_ALIGNMENT ? pm_malloc(bytes)
                                              : pm_aligned_alloc(alignment, bytes);
}

/* Calls the new-handler and tries again until there is memory, or no handler: then NULL. */
COLD NOINLINE static void *retry_new(size_t alignment, size_t bytes)
{
    void *block = NULL;
    while (block == NULL) {
        new_handler handler = _ZSt15get_new_handlerv == NULL ? NULL : _ZSt15get_new_handlerv();
        if (handler == NULL) {
            return NULL;
        }
        handler(); /* may throw: its exception passes through */
        block = try_new(alignment, bytes);
    }
    return block;
}

COLD NOINLINE static void *retry_new_or_throw(size_t alignment, size_t bytes)
{
    void *block = retry_new(alignment, bytes);
    if (block != NULL) {
        return block;
    }
    if (_ZSt17__throw_bad_allocv == NULL) {
        panic("operator new: out of memory, and no libstdc++ to throw std::bad_alloc");
    }
    _ZSt17__throw_bad_allocv();
}

void *_Znwm(size_t bytes)
{
    void *block = pm_malloc(bytes);
    return likely(block != NULL) ? block : retry_new_or_throw(0, bytes);
}

void *_Znam(size_t bytes)
{
    return _Znwm(bytes);
}

void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment)
{
    void *block = try_new(alignment, bytes);
    return likely(block != NULL) ? block : retry_new_or_throw(alignment, bytes);
}

void *_ZnamSt11align_val_t(size_t bytes, size_t alignment)
{
    return _ZnwmSt11align_val_t(bytes, alignment);
}

void *_ZnwmRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow)
{
    (void)nothrow;
    void *block = pm_malloc(bytes);
    return likely(block != NULL) ? block : retry_new(0, bytes);
}

void *_ZnamRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow)
{
    return _ZnwmRKSt9nothrow_t(bytes, nothrow);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const struct nothrow *nothrow)
{
    (void)nothrow;
    void *block = try_new(alignment, bytes);
    return likely(block != NULL) ? block : retry_new(alignment, bytes);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const struct nothrow *nothrow)
{
    return _ZnwmSt11align_val_tRKSt9nothrow_t(bytes, alignment, nothrow);
}

void _ZdlPv(void *block)
{
    pm_free(block);
}

void _ZdaPv(void *block)
{
    _ZdlPv(block);
}

void _ZdlPvm(void *block, size_t bytes)
{
    (void)bytes;
    _ZdlPv(block);
}

void _ZdaPvm(void *block, size_t bytes)
{
    (void)bytes;
    _ZdaPv(block);
}

void _ZdlPvRKSt9nothrow_t(void *block, const struct nothrow *nothrow)
{
    (void)nothrow;
    _ZdlPv(block);
}

void _ZdaPvRKSt9nothrow_t(void *block, const struct nothrow *nothrow)
{
    (void)nothrow;
    _ZdaPv(block);
}

void _ZdlPvSt11align_val_t(void *block, size_t alignment)
{
    (void)alignment;
    pm_free(block);
}

void _ZdaPvSt11align_val_t(void *block, size_t alignment)
{
    _ZdlPvSt11align_val_t(block, alignment);
}

void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t alignment)
{
    (void)bytes;
    _ZdlPvSt11align_val_t(block, alignment);
}

void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t alignment)
{
    (void)bytes;
    _ZdaPvSt11align_val_t(block, alignment);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                         const struct nothrow *nothrow)
{
    (void)nothrow;
    _ZdlPvSt11align_val_t(block, alignment);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                         const struct nothrow *nothrow)
{
    (void)nothrow;
    _ZdaPvSt11align_val_t(block, alignment);
}
