/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is this program built for a sanitizer that keeps shadows of all memory? Its forks take a hundred
 * times as long, and limits of address space hit the shadow first. */
#ifndef POOLMALLOC_STRESS_SANITIZED_H
#define POOLMALLOC_STRESS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_SANITIZED 0
#endif

#endif
