/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc trim: asks a running process to give back what it does not use, by a word in its
 * memory that the library looks at four times a second: in the slow paths of the program's own
 * calls, and in the background thread while it is awake. Nothing is called in the process from
 * outside, so one that sleeps trims when it next allocates. */
#include "commands.h"

#include "say.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: poolmalloc trim PID\n"
    "Asks a running process to give back the memory that it does not use: free pages, and the\n"
    "blocks in shared caches. Waits up to five seconds for it. A process that sleeps does it\n"
    "when it next allocates.\n";

enum { WAIT_STEPS = 100, WAIT_STEP_US = 50000 };

/* Another trim may be asked for meanwhile: then its number is done, a later one. */
static bool wait_until_done(const struct view *view, uint32_t wanted)
{
    uint32_t done = wanted - 1;
    for (unsigned i = 0; i < WAIT_STEPS && (int32_t)(done - wanted) < 0; i++) {
        usleep(WAIT_STEP_US);
        if (!process_read(&view->process, (uintptr_t)&view->layout.requests->trims_done, &done,
                          sizeof(done))) {
            die(EXIT_FAILED, "trim: process %d has ended", (int)view->process.pid);
        }
    }
    return (int32_t)(done - wanted) >= 0;
}

int command_trim(int argc, char **argv)
{
    static struct view view;
    uint32_t wanted = 0;
    if (wants_help(argc, argv)) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc != 2) {
        die(EXIT_USAGE, "usage: poolmalloc trim PID");
    }
    view_open(&view, "trim", argv[1]);
    view_update(&view);
    uint64_t before = view.stats.totals.resident;
    uint64_t address = (uintptr_t)&view.layout.requests->trims_wanted;
    bool is_asked = process_read(&view.process, address, &wanted, sizeof(wanted));
    wanted++;
    if (!is_asked || !process_write(&view.process, address, &wanted, sizeof(wanted))) {
        die(EXIT_FAILED, "trim: process %d cannot be asked", (int)view.process.pid);
    }
    if (!wait_until_done(&view, wanted)) {
        die(EXIT_FAILED,
            "trim: process %d is idle: for five seconds it needed nothing beyond its caches; "
            "it will trim when it next does",
            (int)view.process.pid);
    }
    view_update(&view);
    uint64_t after = view.stats.totals.resident;
    printf("%s, process %d: %s resident before, %s now\n", view.process.name, (int)view.process.pid,
           show_bytes(before).text, show_bytes(after).text);
    return EXIT_SUCCESS;
}
