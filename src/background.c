/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "background.h"

#include "config.h"
#include "os.h"
#include "purge.h"
#include "tcache.h"
#include "tick.h"

#include <pthread.h>
#include <signal.h>

enum { STACK_BYTES = 128 << 10 };

static _Atomic bool is_running; /* seq_cst: who sets it starts the thread */

static void *turn_the_clock(void *unused)
{
    os_name_thread("poolmalloc");
    for (;;) {
        if (purge_has_work()) {
            os_sleep_ms(PURGE_TICK_MS);
        } else {
            tick_sleep();
        }
        tcache_turn_clock();
    }
    return unused;
}

static void start(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    if (atomic_exchange(&is_running, true) || pthread_attr_init(&attributes) != 0) {
        return;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, &attributes, turn_the_clock, NULL) != 0) {
        atomic_store(&is_running, false);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void background_on_start(void)
{
    if (config.background_thread == BACKGROUND_ON) {
        start();
    }
}

void background_on_thread(void)
{
    if (config.background_thread != BACKGROUND_OFF && !atomic_load(&is_running)) {
        start();
    }
}

void background_on_fork(void)
{
    atomic_store(&is_running, false);
}
