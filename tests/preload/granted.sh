#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the machine grants a process: affinity and a control group's cpu.max bound the arenas, and
# the statistics say which did; its memory limits bound the heap with limit:cgroup. The files of the
# group are ours, laid over the system's in a mount namespace.
source "${BASH_SOURCE%/*}/lib/same.bash"
need python3 taskset unshare
export PYTHONMALLOC=malloc

allocating='
import threading
def work(): return [bytes(100 + i) for i in range(1000)]
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()'

# Does the report's line on arenas say this?
arenas_are() { # PATTERN PREFIX...
    local pattern=$1
    shift
    POOLMALLOC_STATS=text:$work/report "$@" env LD_PRELOAD="$library" python3 -c "$allocating" &&
        grep 'arenas\? of at most' "$work/report" | tee /dev/stderr | grep -q "^$pattern"
}

check "affinity to one CPU" arenas_are '1 arena of at most 1 (affinity: 1 CPU' \
    taskset -c "$(taskset -pc $$ | grep -o '[0-9]*$')"

# Runs a command where /sys/fs/cgroup is $work/group.
mkdir "$work/group"
granted() {
    # shellcheck disable=SC2016
    unshare --map-root-user --mount bash -c 'mount --bind "$0" /sys/fs/cgroup && "$@"' \
        "$work/group" "$@"
}
if ! granted true 2>/dev/null || ! grep -q '^0::/' /proc/self/cgroup; then
    echo "SKIPPED, no mount namespace or no control group (v2)"
    finish
fi

echo "100000 100000" >"$work/group/cpu.max"
check "cpu.max of one CPU" arenas_are '1 arena of at most 1 (affinity: [0-9]* CPUs\?, cpu.max: 1)' granted
echo "50000 100000" >"$work/group/cpu.max"
check "cpu.max of half a CPU" arenas_are '1 arena of at most 1 (.*cpu.max: 1)' granted
echo "max 100000" >"$work/group/cpu.max"
check "no cpu.max" arenas_are '[0-9]* arenas\? of at most [0-9]* (affinity: [0-9]* CPUs\?)' granted

# Can python hold so many MiB under a memory limit of 256 MiB?
holds() { # FILE MIB
    rm -f "$work/group"/memory.*
    echo $((256 << 20)) >"$work/group/$1"
    POOLMALLOC_LIMIT=cgroup granted env LD_PRELOAD="$library" python3 -c "
held = []
try:
    for _ in range($2): held.append(bytes(1 << 20))
except MemoryError:
    print('refused')" >"$work/answer" && [[ ! -s $work/answer ]]
}
refuses() { ! holds "$@" && [[ $(<"$work/answer") == refused ]]; }
check "memory.max, below" holds memory.max 150
check "memory.max, above" refuses memory.max 400
check "memory.high, above" refuses memory.high 400
finish
