#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# poolmalloc top in a terminal: keys, sizes down to nothing, quitting, the end of the process.
source "${BASH_SOURCE%/*}/lib/cli.bash"
need gcc tmux
export TMUX_TMPDIR=$work
unset TMUX
terminals=0
# Without the end of the pipe that `stop` closes: tmux's server would hold it open.
terminal() (
    [[ -z ${input-} ]] || exec {input}>&-
    tmux -f /dev/null -L "top$terminals" "$@"
)
trap 'terminal kill-server 2>/dev/null; rm -rf "$work"' EXIT

# Waits, half a minute at most, until the screen shows a pattern.
shows() { # NAME PATTERN
    local ok=FAIL
    for _ in {1..300}; do
        terminal capture-pane -p >"$work/stdout" 2>"$work/stderr"
        grep -Eq -- "$2" "$work/stdout" && ok=ok && break
        sleep 0.1
    done
    verdict "$1" $ok
}
open_top() { # OPTION...
    terminal kill-server 2>/dev/null
    terminals=$((terminals + 1)) # a server that is just ending would take the new session with it
    terminal new-session -d -x 120 -y 45 "$tool top $* $started; echo ended with \$?; sleep 100"
}

build threads "$sources/threads.c"
start "$tool" run "$work/threads" 20
open_top --delay=0.2
shows "totals" 'resident .* of .* mapped'
shows "classes first" 'CLASS +PAGES +LIVE'
shows "rates" 'a second: [1-9][0-9.]* ?k? allocs'
terminal send-keys t
shows "threads" 'THREAD +NAME'
shows "each of them" "$started +threads "
terminal send-keys a
shows "arenas" 'ARENA +THREADS'
terminal send-keys t Down Down Down
shows "scrolled" 'THREAD +NAME'
for size in "40 10" "8 3" "2 1" "200 60"; do
    terminal resize-window -x ${size% *} -y ${size#* }
    sleep 0.3
done
terminal send-keys c + -
shows "after resizing" 'CLASS +PAGES'
shows "the key line at the bottom" 'q quit'
terminal send-keys q
shows "q quits" 'ended with 0'
open_top
shows "again" 'CLASS +PAGES'
stop
shows "the process ends" "process $started \(threads\) has ended"
shows "and so does top" 'ended with 0'
finish
