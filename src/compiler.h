/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the compilers spell differently or at length: the only compiler conditionals in the tree. */
#ifndef POOLMALLOC_COMPILER_H
#define POOLMALLOC_COMPILER_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define HOT __attribute__((hot))
#define COLD __attribute__((cold))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NORETURN __attribute__((noreturn))
#define PUBLIC __attribute__((visibility("default")))
#define PRINTF_LIKE(format, first) __attribute__((format(printf, format, first)))
#define NO_SANITIZE_THREAD __attribute__((no_sanitize("thread")))
#define CACHE_ALIGNED __attribute__((aligned(64)))

/* Lock contracts, checked by clang -Wthread-safety on functions; comments to every other compiler.
 */
#ifdef __clang__
#define CAPABILITY(name) __attribute__((capability(name)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define TRY_ACQUIRES(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(name)
#define REQUIRES(...)
#define ACQUIRES(...)
#define TRY_ACQUIRES(...)
#define RELEASES(...)
#define NO_THREAD_SAFETY_ANALYSIS
#endif

/* Tells the CPU that this thread waits in a loop. */
#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield")
#else
#define cpu_relax() __asm__ volatile("")
#endif

#if !defined(__LP64__)
#error "poolmalloc needs a 64-bit target: its page map spans a 64-bit address space"
#endif

#endif
