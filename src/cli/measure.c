/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "measure.h"

#include "program.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_INTERVAL_MS = 5, TREE_DEPTH_MAX = 8 };

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A small file of /proc/PID, "" if it is gone. */
static void read_proc(int pid, const char *file, char *text, size_t capacity)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor < 0 ? 0 : read(descriptor, text, capacity - 1);
    text[length < 0 ? 0 : length] = '\0';
    if (descriptor >= 0) {
        close(descriptor);
    }
}

/* Resident bytes of a process and of those it started. */
static double tree_bytes(int pid, unsigned depth)
{
    char text[1024];
    char file[32];
    char *second = NULL;
    read_proc(pid, "statm", text, sizeof(text));
    strtoul(text, &second, 10); /* the first field is the size of all addresses */
    unsigned long pages = strtoul(second, NULL, 10);
    double bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
    snprintf(file, sizeof(file), "task/%d/children", pid);
    read_proc(pid, file, text, sizeof(text));
    char *at = text;
    for (long child; depth < TREE_DEPTH_MAX && (child = strtol(at, &at, 10)) > 0;) {
        bytes += tree_bytes((int)child, depth + 1);
    }
    return bytes;
}

/* When the samples are full, every second one goes: their distance doubles. */
static bool add_sample(struct run *run, double seconds, double bytes)
{
    run->samples[run->sample_count++] = (struct sample){seconds, bytes};
    if (run->sample_count < SAMPLES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < SAMPLES_MAX / 2; i++) {
        run->samples[i] = run->samples[2 * i];
    }
    run->sample_count = SAMPLES_MAX / 2;
    return true;
}

/* Each value counts until the next one. */
static double mean_over_time(const struct run *run)
{
    double sum = 0;
    for (unsigned i = 0; i < run->sample_count; i++) {
        double until = i + 1 < run->sample_count ? run->samples[i + 1].seconds : run->wall_seconds;
        sum += run->samples[i].bytes * (until - run->samples[i].seconds);
    }
    double from = run->sample_count == 0 ? 0 : run->samples[0].seconds;
    return run->wall_seconds > from ? sum / (run->wall_seconds - from) : 0;
}

static _Noreturn void become(const struct allocator *allocator, char **command, bool shows_output)
{
    struct stat status;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
        dup2(null, STDIN_FILENO);
    } else {
        lseek(STDIN_FILENO, 0, SEEK_SET);
    }
    if (!shows_output) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    if (allocator->path[0] != '\0') {
        library_preload(allocator->path);
    }
    execvp(command[0], command);
    _exit(EXIT_CANNOT_RUN);
}

void measure_run(struct run *run, const struct allocator *allocator, char **command,
                 bool shows_output)
{
    struct rusage usage;
    int interval_ms = FIRST_INTERVAL_MS;
    fflush(NULL);
    double start = now_seconds();
    pid_t child = fork();
    if (child == 0) {
        become(allocator, command, shows_output);
    }
    int handle = child < 0 ? -1 : (int)syscall(SYS_pidfd_open, child, 0);
    if (handle < 0) {
        die(EXIT_FAILED, "compare: cannot start a process: %s", strerror(errno));
    }
    *run = (struct run){0};
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    double largest = 0;
    while (poll(&ended, 1, interval_ms) == 0) {
        double bytes = tree_bytes(child, 0);
        largest = bytes > largest ? bytes : largest;
        interval_ms *= add_sample(run, now_seconds() - start, bytes) ? 2 : 1;
    }
    wait4(child, &run->status, 0, &usage);
    run->wall_seconds = now_seconds() - start;
    close(handle);
    run->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    double kernel_peak = (double)usage.ru_maxrss * 1024;
    run->peak_bytes = largest > kernel_peak ? largest : kernel_peak;
    run->mean_bytes = run->sample_count == 0 ? run->peak_bytes : mean_over_time(run);
}
