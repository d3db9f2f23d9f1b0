/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pthread_create and thrd_create, wrapped: the place where it is known, outside of malloc and of
 * every lock of libc, that the program has a second thread; and where a forked child can still tell
 * its own threads from those that are gone. */
#include "background.h"
#include "compiler.h"
#include "mutex.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

typedef int pthread_create_function(pthread_t *thread, const pthread_attr_t *attributes,
                                    void *(*run)(void *), void *argument);
typedef int thrd_create_function(thrd_t *thread, thrd_start_t run, void *argument);

/* libc's function, or another wrapper's. dlsym allocates only to describe an error.
 * found: relaxed, every thread finds the same. */
static void *find_next(_Atomic(void *) *found, const char *name)
{
    void *address = atomic_load_explicit(found, memory_order_relaxed);
    if (address == NULL) {
        address = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(found, address, memory_order_relaxed);
    }
    return address;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's have underscores */
PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    static _Atomic(void *) found;
    pthread_create_function *create =
        (pthread_create_function *)find_next(&found, "pthread_create");
    if (create == NULL) {
        return EAGAIN;
    }
    mutex_check_fork();
    int error = create(thread, attributes, run, argument);
    if (error == 0) {
        background_on_thread();
    }
    return error;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's have underscores */
PUBLIC int thrd_create(thrd_t *thread, thrd_start_t run, void *argument)
{
    static _Atomic(void *) found;
    thrd_create_function *create = (thrd_create_function *)find_next(&found, "thrd_create");
    if (create == NULL) {
        return thrd_error;
    }
    mutex_check_fork();
    int status = create(thread, run, argument);
    if (status == thrd_success) {
        background_on_thread();
    }
    return status;
}
