#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The library may call only what is listed here: nothing that may itself call malloc (printf,
# fopen ...), so that no allocation ever re-enters the allocator.
set -eu
allowed='
    # memory and strings: pure
    memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strcspn strstr
    strtoul strtoull
    # the kernel and the environment
    syscall mmap munmap mremap madvise mprotect mincore prctl lstat fstat fcntl rename sysconf write open openat read close abort
    raise getpid gettid clock_gettime nanosleep sigaction getrlimit sched_yield getauxval
    getrandom getenv secure_getenv environ __environ __errno_location __libc_single_threaded
    # threads: key destructors and fork handlers; glibc keeps the first 32 keys and the first 48
    # handlers in static memory and may allocate beyond, never while a lock of ours is held
    pthread_self pthread_key_create pthread_setspecific pthread_getspecific
    pthread_create pthread_detach pthread_sigmask pthread_attr_init pthread_attr_destroy
    pthread_attr_setstacksize pthread_attr_setdetachstate sigfillset pthread_atfork __register_atfork
    # only to find what ours of pthread_create and thrd_create wrap, outside of malloc
    dlsym
    __cxa_atexit __cxa_finalize
    # the new-handler and the exception of a failing operator new, weak: libstdc++ may be absent
    _ZSt15get_new_handlerv _ZSt17__throw_bad_allocv
    # malloc_info writes to a stream of the program, while no lock of ours is held
    fwrite
    # a catch (...) around a plain operator new that the program replaced, weak as well
    _Unwind_SetGR _Unwind_SetIP __cxa_begin_catch __cxa_end_catch
    # the compiler
    __stack_chk_fail __tls_get_addr _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable
    __gmon_start__
'
forbidden=$(nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
    grep -vxFf <(grep -v '#' <<<"$allowed" | tr -s ' ' '\n' | grep .) |
    grep -vE '^_Z(nw|na|dl|da)' || true) # our own operators, called as the program replaced them
if [[ -n $forbidden ]]; then
    echo "imports: not on the list of scripts/check_imports.sh:" $forbidden
    exit 1
fi
