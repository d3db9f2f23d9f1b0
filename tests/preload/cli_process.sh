#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# poolmalloc stats, doctor, top, map and trim on running processes: what they say adds up with what
# the kernel says, and what cannot be looked into is told in one line.
source "${BASH_SOURCE%/*}/lib/cli.bash"
need gcc python3
commands=(stats doctor map "top --once" trim)


# ---- Programs on the pool ------------------------------------------------------------------------
build threads "$sources/threads.c"
for threads in 1 2000; do
    start "$tool" run "$work/threads" $threads
    expect "$threads threads: stats" 0 '^= resident' "$tool" stats $started
    expect "$threads threads: short" 0 'resident memory .* is' "$tool" stats --short $started
    expect "$threads threads: prometheus" 0 '^# TYPE' "$tool" stats --format=prometheus $started
    expect "$threads threads: they are counted" 0 "\"threads\":$((threads + 1))," \
        "$tool" stats --format=json $started
    expect "$threads threads: whose and when" 0 "\"process_id\":$started,\"unix_seconds\":$(date +%s | head -c 8)" \
        "$tool" stats --format=json $started
    expect "$threads threads: doctor" 0 'adds up' bash "$sources/agreeing.sh" \
        python3 "$sources/adds_up.py" "$tool" $started
    expect "$threads threads: map" 0 'map agrees' bash "$sources/agreeing.sh" \
        python3 "$sources/map_agrees.py" "$tool" $started
    expect "$threads threads: top" 0 'CLASS +PAGES' "$tool" top --once $started
    expect "$threads threads: its arenas" 0 '^ +0 +[0-9]+ +[0-9]+ ' \
        "$tool" top --once --table=arenas -d 0.2 $started
    expect "$threads threads: its threads" 0 '^ +[0-9]+ +threads +[01] +[0-9.]+ K?i?B' \
        "$tool" top --once --table=threads -d 0.2 $started
    expect "$threads threads: map's file" 0 'chunks' "$tool" map $started "$work/map.html"
    stop && verdict "$threads threads: it went on" ok || verdict "$threads threads: it went on" FAIL
done

# A library that was deleted, a program linked with the archive, one that is stripped.
cp "$library" "$work/copy.so"
start "$tool" run -l "$work/copy.so" "$work/threads" 1
rm "$work/copy.so"
expect "a deleted library" 0 '^= resident' "$tool" stats $started
stop
for linked in "" -static; do
    build archive $linked "$sources/threads.c" "${library%/*}/libpoolmalloc.a"
    start "$work/archive" 4
    expect "linked with the archive $linked" 0 '"threads":5,' "$tool" stats -f json $started
    stop
done
strip "$work/archive"
start "$work/archive" 1
complains "stripped" 1 'symbols were stripped|does not run on the library' "$tool" stats $started
stop

# ---- trim ----------------------------------------------------------------------------------------
# 64 MiB are freed at the word; with decay off they stay until the process is asked.
cat >"$work/grows.c" <<'SOURCE'
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static void *blocks[1024];
    for (int i = 0; i < 1024; i++) memset(blocks[i] = malloc(65536), 1, 65536);
    for (int i = 0; i < 1024; i++) free(blocks[i]);
    puts("ready"), fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (getenv("BUSY")) while (poll(&input, 1, 1) == 0) {
        for (int j = 0; j < 64; j++) blocks[j] = malloc(100000 + 1000 * j);
        for (int j = 0; j < 64; j++) free(blocks[j]);
    }
    getchar();
    return 0;
}
SOURCE
build grows "$work/grows.c"
BUSY=1 start "$tool" run -o decay_ms:never,cached_max:32768 "$work/grows"
expect "trim: much is resident" 0 '^= resident +[67][0-9]\.' "$tool" stats --short $started
expect "trim" 0 '[67][0-9]\.[0-9] MiB resident before, ([12]?[0-9]\.[0-9] MiB|[0-9]+ KiB) now' "$tool" trim $started
stop
start "$tool" run -o background_thread:off,decay_ms:never "$work/grows"
complains "trim: an idle process" 1 'is idle: for five seconds' "$tool" trim $started
stop
start "$tool" run -o background_thread:on,decay_ms:60000,cached_max:32768 "$work/grows"
expect "trim: by the background thread" 0 'resident before, ([0-9]\.[0-9] MiB|[0-9]+ KiB) now' \
    "$tool" trim $started
stop

# ---- What cannot be looked into ------------------------------------------------------------------
sleep 300 &
other=$!
(exit 0) &
dead=$!
wait $dead
for command in "${commands[@]}"; do
    complains "$command: not on the library" 1 "process $other \(sleep\) does not run on the library" \
        "$tool" $command $other
    complains "$command: dead" 1 "no process $dead" "$tool" $command $dead
    complains "$command: no number" 2 '"12x" is not a process id' "$tool" $command 12x
    complains "$command: no process" 2 'usage' "$tool" $command
done

# As under Yama: the list of mappings can be read, what is in them cannot.
cat >"$work/yama.c" <<'SOURCE'
#include <errno.h>
long process_vm_readv() { errno = EPERM; return -1; }
SOURCE
build yama.so -shared -fPIC "$work/yama.c"
complains "may not be traced" 1 'may not read process' \
    env LD_PRELOAD="$work/yama.so" "$tool" stats $other
kill $other

# Layouts of other versions and builds.
layout() { # NAME MAGIC VERSION
    echo "struct { char magic[24]; unsigned version, bytes, rest[200]; } poolmalloc_layout =
        { \"$2\", $3, 8 }; int main(void) { puts(\"ready\"); fflush(0); getchar(); return 0; }" \
        >"$work/$1.c"
    build "$1" -rdynamic -include stdio.h "$work/$1.c"
    start "$work/$1"
}
layout newer "poolmalloc layout" 999
complains "a newer layout" 1 'a newer library \(layout 999, this command reads' "$tool" stats $started
stop
layout older "poolmalloc layout" 0
complains "an older layout" 1 'an older library \(layout 0,' "$tool" doctor $started
stop
layout wrong "something else" 1
complains "another build" 1 'another build of the library' "$tool" map $started
stop

if ((EUID == 0)) && command -v setpriv >/dev/null; then
    start "$tool" run "$work/threads" 1
    chmod 755 "$work"
    cp "$tool" "$work/tool"
    for command in "${commands[@]}"; do
        complains "$command: another user's" 1 "may not read process $started .* of root" \
            setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tool" $command $started
    done
    stop
fi

# Attached to nothing but a pipe, top says so.
start "$tool" run "$work/threads" 1
complains "stats: a full disk" 1 'standard output: No space left' \
    sh -c "'$tool' stats $started >/dev/full"
complains "top without a terminal" 1 'no terminal, try --once' "$tool" top $started
complains "top: a bad delay" 2 'delay is' "$tool" top --delay=0 $started
complains "map: a bad file" 1 '/nowhere/x: No such file' "$tool" map $started /nowhere/x
complains "map: a full disk" 1 'No space left' "$tool" map $started /dev/full
stop
finish
