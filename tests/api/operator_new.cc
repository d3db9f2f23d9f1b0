/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* C++'s operators as a program meets them that replaces none: every form of new gives memory, fails
 * as the standard says, calls the new-handler in a loop and lets its exceptions through. */
#include "check.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

const std::size_t too_large = PTRDIFF_MAX - 100;
const std::align_val_t page_aligned{4096};

using new_form = void *(*)(std::size_t);

void *plain(std::size_t bytes)
{
    return ::operator new(bytes);
}
void *array(std::size_t bytes)
{
    return ::operator new[](bytes);
}
void *aligned(std::size_t bytes)
{
    return ::operator new(bytes, page_aligned);
}
void *aligned_array(std::size_t bytes)
{
    return ::operator new[](bytes, page_aligned);
}
void *nothrow(std::size_t bytes)
{
    return ::operator new(bytes, std::nothrow);
}
void *nothrow_array(std::size_t bytes)
{
    return ::operator new[](bytes, std::nothrow);
}
void *aligned_nothrow(std::size_t bytes)
{
    return ::operator new(bytes, page_aligned, std::nothrow);
}
void *aligned_nothrow_array(std::size_t bytes)
{
    return ::operator new[](bytes, page_aligned, std::nothrow);
}

const new_form throwing_forms[] = {plain, array, aligned, aligned_array};
const new_form nothrow_forms[] = {nothrow, nothrow_array, aligned_nothrow, aligned_nothrow_array};

struct handler_error {};

unsigned handler_calls;

void give_up_after_three()
{
    if (++handler_calls == 3) {
        std::set_new_handler(nullptr);
    }
}

void throw_own()
{
    handler_calls++;
    throw handler_error();
}

/* How a form ends for a size that nobody has. */
enum outcome { GAVE_MEMORY, GAVE_NULL, BAD_ALLOC, HANDLER_ERROR };

outcome ask(new_form form, std::size_t bytes)
{
    try {
        return form(bytes) == nullptr ? GAVE_NULL : GAVE_MEMORY;
    } catch (const std::bad_alloc &) {
        return BAD_ALLOC;
    } catch (const handler_error &) {
        return HANDLER_ERROR;
    }
}

void check_failing(new_form form, bool is_nothrow)
{
    CHECK(ask(form, too_large) == (is_nothrow ? GAVE_NULL : BAD_ALLOC));
    CHECK(ask(form, SIZE_MAX) == (is_nothrow ? GAVE_NULL : BAD_ALLOC));
    CHECK(ask(form, SIZE_MAX - 4000) == (is_nothrow ? GAVE_NULL : BAD_ALLOC));
    handler_calls = 0;
    std::set_new_handler(give_up_after_three);
    CHECK(ask(form, too_large) == (is_nothrow ? GAVE_NULL : BAD_ALLOC));
    CHECK(handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(throw_own);
    CHECK(ask(form, too_large) == (is_nothrow ? GAVE_NULL : HANDLER_ERROR));
    CHECK(handler_calls == 1);
    std::set_new_handler(nullptr);
}

void check_working(new_form form, std::size_t alignment)
{
    void *small = form(0);
    void *large = form(100000);
    CHECK(small != nullptr && large != nullptr && small != large);
    CHECK(reinterpret_cast<std::uintptr_t>(small) % alignment == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(large) % alignment == 0);
    CHECK(malloc_usable_size(large) >= 100000);
    std::free(small);
    std::free(large);
}

#if defined(__cpp_sized_deallocation)
void check_sized_deleting()
{
    ::operator delete (plain(10), std::size_t{10});
    ::operator delete[](array(10), std::size_t{10});
    ::operator delete (aligned(10), std::size_t{10}, page_aligned);
    ::operator delete[](aligned_array(10), std::size_t{10}, page_aligned);
}
#else
void check_sized_deleting()
{
}
#endif

void check_deleting()
{
    ::operator delete(plain(10));
    ::operator delete(plain(10), std::nothrow);
    ::operator delete[](array(10));
    ::operator delete[](array(10), std::nothrow);
    ::operator delete(aligned(10), page_aligned);
    ::operator delete(aligned(10), page_aligned, std::nothrow);
    ::operator delete[](aligned_array(10), page_aligned);
    ::operator delete[](aligned_array(10), page_aligned, std::nothrow);
    ::operator delete(nullptr);
}

} // namespace

int main()
{
    for (unsigned i = 0; i < 4; i++) {
        std::size_t alignment = i < 2 ? alignof(std::max_align_t) : 4096;
        check_working(throwing_forms[i], alignment);
        check_working(nothrow_forms[i], alignment);
        check_failing(throwing_forms[i], false);
        check_failing(nothrow_forms[i], true);
    }
    check_deleting();
    check_sized_deleting();
    return check_summary();
}
