/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork and what libc forks by itself, wrapped: our fork handler is registered here, at the first
 * fork, and not by every process at its start. Who forks by other means has a second thread, and so
 * a handler (thread.c), or is found out later (mutex_check_fork). */
#include "compiler.h"
#include "mutex.h"
#include "wrapped.h"

#include <errno.h>
#include <pty.h>
#include <sys/types.h>
#include <unistd.h>

typedef pid_t fork_function(void);
typedef int daemon_function(int keeps_directory, int keeps_streams);
typedef pid_t forkpty_function(int *terminal, char *name, const struct termios *settings,
                               const struct winsize *size);

const bool mutex_fork_is_wrapped = true;

/* What is to be called, after the handler is registered. */
static void *find_to_fork(_Atomic(void *) *found, const char *name)
{
    void *address = wrapped_find(found, name);
    mutex_handle_forks();
    if (address == NULL) {
        errno = ENOSYS;
    }
    return address;
}

PUBLIC pid_t fork(void)
{
    static _Atomic(void *) found;
    fork_function *next = (fork_function *)find_to_fork(&found, "fork");
    return next == NULL ? -1 : next();
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's have underscores */
PUBLIC int daemon(int keeps_directory, int keeps_streams)
{
    static _Atomic(void *) found;
    daemon_function *next = (daemon_function *)find_to_fork(&found, "daemon");
    return next == NULL ? -1 : next(keeps_directory, keeps_streams);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's have underscores */
PUBLIC pid_t forkpty(int *terminal, char *name, const struct termios *settings,
                     const struct winsize *size)
{
    static _Atomic(void *) found;
    forkpty_function *next = (forkpty_function *)find_to_fork(&found, "forkpty");
    return next == NULL ? -1 : next(terminal, name, settings, size);
}
