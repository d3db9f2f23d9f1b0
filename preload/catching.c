/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A catch (...) without a C++ compiler. The frame of call_catching has an unwind personality of its
 * own, which tells the unwinder to land behind the call; there the exception is ended as C++ does.
 * What it needs comes from libgcc and libstdc++, which are in every process that can throw.
 * Source: Itanium C++ ABI, exception handling, levels I and II. */
#include "catching.h"

#include "compiler.h"

#include <stdint.h>
#include <unwind.h>

#pragma weak _Unwind_SetGR
#pragma weak _Unwind_SetIP
__attribute__((weak)) void *__cxa_begin_catch(void *exception);
__attribute__((weak)) void __cxa_end_catch(void);

#if defined(__x86_64__) || defined(__aarch64__)

/* Called from assembly and by the unwinder only. */
void call_catching_landing(void);
void *end_exception(void *exception);
_Unwind_Reason_Code catching_personality(int version, _Unwind_Action actions,
                                         _Unwind_Exception_Class exception_class,
                                         struct _Unwind_Exception *exception,
                                         struct _Unwind_Context *context);

void *end_exception(void *exception)
{
    if (__cxa_begin_catch != NULL && __cxa_end_catch != NULL) {
        __cxa_begin_catch(exception);
        __cxa_end_catch();
    }
    return NULL;
}

_Unwind_Reason_Code catching_personality(int version, _Unwind_Action actions,
                                         _Unwind_Exception_Class exception_class,
                                         struct _Unwind_Exception *exception,
                                         struct _Unwind_Context *context)
{
    (void)version;
    (void)exception_class;
    if ((actions & _UA_FORCE_UNWIND) != 0 || _Unwind_SetGR == NULL || _Unwind_SetIP == NULL) {
        return _URC_CONTINUE_UNWIND;
    }
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        return _URC_HANDLER_FOUND;
    }
    if ((actions & _UA_HANDLER_FRAME) == 0) {
        return _URC_CONTINUE_UNWIND;
    }
    _Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
    _Unwind_SetIP(context, (uintptr_t)call_catching_landing);
    return _URC_INSTALL_CONTEXT;
}

#define BEGIN_CALL_CATCHING                                                                        \
    ".pushsection .text\n"                                                                         \
    ".globl call_catching, call_catching_landing\n"                                                \
    ".hidden call_catching, call_catching_landing, catching_personality, end_exception\n"          \
    ".type call_catching, %function\n"                                                             \
    "call_catching:\n"                                                                             \
    ".cfi_startproc\n"                                                                             \
    ".cfi_personality 0x1b, catching_personality\n" /* pc-relative, four bytes */

#define END_CALL_CATCHING                                                                          \
    ".cfi_endproc\n"                                                                               \
    ".size call_catching, . - call_catching\n"                                                     \
    ".popsection\n"

#if defined(__x86_64__)
__asm__(BEGIN_CALL_CATCHING "endbr64\n"
                            "sub $8, %rsp\n"
                            ".cfi_adjust_cfa_offset 8\n"
                            "mov %rdi, %rax\n"
                            "mov %rsi, %rdi\n"
                            "mov %rdx, %rsi\n"
                            "call *%rax\n"
                            "1:\n"
                            "add $8, %rsp\n"
                            ".cfi_adjust_cfa_offset -8\n"
                            "ret\n"
                            ".cfi_adjust_cfa_offset 8\n"
                            "call_catching_landing:\n" /* rax: the exception */
                            "mov %rax, %rdi\n"
                            "call end_exception\n"
                            "jmp 1b\n" END_CALL_CATCHING);
#else
__asm__(BEGIN_CALL_CATCHING "hint #34\n" /* bti c */
                            "stp x29, x30, [sp, #-16]!\n"
                            ".cfi_def_cfa_offset 16\n"
                            ".cfi_offset 29, -16\n"
                            ".cfi_offset 30, -8\n"
                            "mov x29, sp\n"
                            "mov x3, x0\n"
                            "mov x0, x1\n"
                            "mov x1, x2\n"
                            "blr x3\n"
                            "1:\n"
                            "ldp x29, x30, [sp], #16\n"
                            "ret\n"
                            "call_catching_landing:\n" /* x0: the exception */
                            "bl end_exception\n"
                            "b 1b\n" END_CALL_CATCHING);
#endif

#else

/* No landing written for this machine: exceptions pass. */
void *call_catching(void (*function)(void), size_t bytes, size_t alignment)
{
    return ((void *(*)(size_t, size_t))function)(bytes, alignment);
}

#endif
