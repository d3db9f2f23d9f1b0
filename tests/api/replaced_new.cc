/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that replaces plain operator new and delete alone: the library's array and nothrow
 * forms call these, and what the replaced new throws becomes NULL in the nothrow forms. */
#include "check.h"

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>

#include <pthread.h>

namespace {

unsigned new_calls;
unsigned aligned_new_calls;
unsigned delete_calls;
unsigned live_guards;
enum { SUCCEED, THROW_INT, THROW_BAD_ALLOC, END_THREAD } mode;

/* Unwinding through it must run destructors. */
struct guard {
    guard()
    {
        live_guards++;
    }
    ~guard()
    {
        live_guards--;
    }
};

void *answer(std::size_t bytes)
{
    guard unwound;
    switch (mode) {
    case THROW_INT:
        throw 42;
    case THROW_BAD_ALLOC:
        throw std::bad_alloc();
    case END_THREAD:
        pthread_exit(nullptr);
    default:
        return std::malloc(bytes);
    }
}

const std::align_val_t aligned{64};

} // namespace

void *operator new(std::size_t bytes)
{
    new_calls++;
    return answer(bytes);
}

void *operator new(std::size_t bytes, std::align_val_t)
{
    aligned_new_calls++;
    return answer(bytes);
}

void operator delete(void *block) noexcept
{
    delete_calls++;
    std::free(block);
}

void operator delete(void *block, std::size_t) noexcept
{
    ::operator delete(block);
}

namespace {

void check_forwarding()
{
    new_calls = aligned_new_calls = delete_calls = 0;
    ::operator delete[](::operator new[](10));
    CHECK(new_calls == 1 && delete_calls == 1);
    ::operator delete(::operator new(10, std::nothrow), std::nothrow);
    CHECK(new_calls == 2 && delete_calls == 2);
    ::operator delete[](::operator new[](10, std::nothrow), std::nothrow);
    CHECK(new_calls == 3 && delete_calls == 3);
    std::free(::operator new[](10, aligned));
    std::free(::operator new(10, aligned, std::nothrow));
    std::free(::operator new[](10, aligned, std::nothrow));
    CHECK(aligned_new_calls == 3);
}

void check_nothrow_is_null()
{
    new_calls = aligned_new_calls = 0;
    CHECK(::operator new(10, std::nothrow) == nullptr);
    CHECK(::operator new[](10, std::nothrow) == nullptr);
    CHECK(::operator new(10, aligned, std::nothrow) == nullptr);
    CHECK(::operator new[](10, aligned, std::nothrow) == nullptr);
    CHECK(new_calls == 2 && aligned_new_calls == 2 && live_guards == 0);
    CHECK(std::uncaught_exceptions() == 0);
}

void check_plain_throws()
{
    bool is_caught = false;
    try {
        std::free(::operator new[](10));
    } catch (int number) {
        is_caught = number == 42;
    }
    CHECK(is_caught && live_guards == 0);
}

void *end_thread_in_new(void *)
{
    std::free(::operator new(10, std::nothrow));
    return &mode; /* not reached: pthread_exit unwinds through the nothrow form */
}

} // namespace

int main()
{
    check_forwarding();
    mode = THROW_INT;
    check_nothrow_is_null();
    check_plain_throws();
    mode = THROW_BAD_ALLOC;
    check_nothrow_is_null();

    pthread_t thread;
    void *result = &thread;
    mode = SUCCEED;
    CHECK(pthread_create(&thread, nullptr, end_thread_in_new, nullptr) == 0);
    pthread_join(thread, nullptr);
    mode = END_THREAD;
    CHECK(pthread_create(&thread, nullptr, end_thread_in_new, nullptr) == 0);
    pthread_join(thread, &result);
    CHECK(result == nullptr);
    mode = SUCCEED;
    return check_summary();
}
