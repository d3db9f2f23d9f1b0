/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens at the start, at fork and at the end of a process. Nothing relies on the start
 * having happened: the first malloc of the dynamic loader comes before it. */
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

__attribute__((constructor)) static void start(void)
{
    config_load();
    purge_update_budget();
    stats_report_load();
    mutex_watch_forks();
    background_on_start();
}

/* Slots that were freed twice and still lie in this thread's cache or in depots are found here. */
__attribute__((destructor)) static void finish(void)
{
    stats_report_at_exit();
    tcache_flush();
    purge_depots();
}
