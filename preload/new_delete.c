/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* C++'s operator new and delete in every form, against their mangled names (Itanium C++ ABI).
 *
 * [new.delete]: array and nothrow forms call the program's plain form, which it may have replaced,
 * so those calls go through the procedure linkage table; nothrow forms turn its exceptions into
 * NULL. A failing plain form calls the program's new-handler until it gives up, then throws
 * std::bad_alloc; both come from libstdc++ when the process has it. */
#include "poolmalloc.h"

#include "bits.h"
#include "catching.h"
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

static void *try_new(size_t bytes, size_t alignment)
{
    return alignment <= DEFAULT_NEW_ALIGNMENT ? pm_malloc(bytes)
                                              : pm_aligned_alloc(alignment, bytes);
}

/* Calls the new-handler and tries again until there is memory, or no handler: then NULL. */
COLD NOINLINE static void *retry_new(size_t bytes, size_t alignment)
{
    void *block = NULL;
    while (block == NULL) {
        new_handler handler = _ZSt15get_new_handlerv == NULL ? NULL : _ZSt15get_new_handlerv();
        if (handler == NULL) {
            return NULL;
        }
        handler(); /* may throw: its exception passes through */
        block = try_new(bytes, alignment);
    }
    return block;
}

COLD NOINLINE static void *retry_new_or_throw(size_t bytes, size_t alignment)
{
    void *block = retry_new(bytes, alignment);
    if (block != NULL) {
        return block;
    }
    if (_ZSt17__throw_bad_allocv == NULL) {
        panic("operator new: out of memory, and no libstdc++ to throw std::bad_alloc");
    }
    _ZSt17__throw_bad_allocv();
}

/* Without a handler nothing can throw. */
COLD NOINLINE static void *retry_nothrow(size_t bytes, size_t alignment)
{
    if (_ZSt15get_new_handlerv == NULL || _ZSt15get_new_handlerv() == NULL) {
        return NULL;
    }
    return call_catching((void (*)(void))retry_new, bytes, alignment);
}

static void *new_nothrow(size_t bytes, size_t alignment)
{
    void *block = try_new(bytes, alignment);
    return likely(block != NULL) ? block : retry_nothrow(bytes, alignment);
}

/* Our own plain forms under names that nobody can replace, to see whether somebody did. */
#define OWN(name) __attribute__((alias(#name), visibility("hidden")))
void *own_new(size_t bytes) OWN(_Znwm);
void *own_new_array(size_t bytes) OWN(_Znam);
void *own_new_aligned(size_t bytes, size_t alignment) OWN(_ZnwmSt11align_val_t);
void *own_new_array_aligned(size_t bytes, size_t alignment) OWN(_ZnamSt11align_val_t);

void *_Znwm(size_t bytes)
{
    void *block = pm_malloc(bytes);
    return likely(block != NULL) ? block : retry_new_or_throw(bytes, 0);
}

void *_Znam(size_t bytes)
{
    return _Znwm(bytes);
}

void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment)
{
    void *block = try_new(bytes, alignment);
    return likely(block != NULL) ? block : retry_new_or_throw(bytes, alignment);
}

void *_ZnamSt11align_val_t(size_t bytes, size_t alignment)
{
    return _ZnwmSt11align_val_t(bytes, alignment);
}

void *_ZnwmRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow)
{
    (void)nothrow;
    return likely(_Znwm == own_new) ? new_nothrow(bytes, 0)
                                    : call_catching((void (*)(void))_Znwm, bytes, 0);
}

void *_ZnamRKSt9nothrow_t(size_t bytes, const struct nothrow *nothrow)
{
    (void)nothrow;
    return likely(_Znam == own_new_array && _Znwm == own_new)
               ? new_nothrow(bytes, 0)
               : call_catching((void (*)(void))_Znam, bytes, 0);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const struct nothrow *nothrow)
{
    (void)nothrow;
    return likely(_ZnwmSt11align_val_t == own_new_aligned)
               ? new_nothrow(bytes, alignment)
               : call_catching((void (*)(void))_ZnwmSt11align_val_t, bytes, alignment);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment,
                                         const struct nothrow *nothrow)
{
    (void)nothrow;
    return likely(_ZnamSt11align_val_t == own_new_array_aligned &&
                  _ZnwmSt11align_val_t == own_new_aligned)
               ? new_nothrow(bytes, alignment)
               : call_catching((void (*)(void))_ZnamSt11align_val_t, bytes, alignment);
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
