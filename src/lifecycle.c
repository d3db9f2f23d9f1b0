/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle.h"

#include "arena.h"
#include "background.h"
#include "config.h"
#include "huge.h"
#include "magazine.h"
#include "mutex.h"
#include "purge.h"
#include "stats_report.h"
#include "tcache.h"

/* No prepare handler: no lock is held across fork. What a thread now gone held is forgotten. Takes
 * no lock but by trying: the forking thread may itself have been interrupted while it held some,
 * and goes on with them here. */
void mutex_after_fork(void)
{
    mutex_note_fork();
    magazine_abandon_stocks();
    huge_abandon_lock();
    stats_report_abandon_lock();
    chunk_abandon_lock();
    arena_abandon_locks();
    purge_abandon_lock();
    tcache_abandon_others();
    background_on_fork();
}

void lifecycle_before_thread(void)
{
    static _Atomic bool is_registered;
    mutex_watch_forks();
    mutex_on_fork(&is_registered, mutex_after_fork);
}

__attribute__((constructor)) static void start(void)
{
    config_load();
    stats_report_load();
    if (&lifecycle_sees_threads == NULL) {
        lifecycle_before_thread();
    }
    background_on_start();
}

/* Slots that were freed twice and still lie in this thread's cache or in depots are found here. */
__attribute__((destructor)) static void finish(void)
{
    stats_report_at_exit();
    tcache_flush();
    purge_depots();
}
