#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Does `poolmalloc top`, once a second, slow a process down? Runs a program that only allocates, by
# turns alone and looked at, and prints the medians of its processor time and what they differ by.
# For a quiet machine.
#   bench_reading.sh [ROUNDS [REPLACEMENTS]]
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-7}
replacements=${2:-2000000000}
tool=$PWD/build/release/poolmalloc
work=$(mktemp -d)
export TMUX_TMPDIR=$work
trap 'tmux -L look kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
gcc -O2 -pthread tests/preload/lib/threads.c -o "$work/replace"

run_once() { # alone|looked_at
    /usr/bin/time --format='%U %S' --append --output="$work/$1" \
        "$tool" run "$work/replace" 1 "$replacements" >/dev/null &
    local timed=$! pid
    sleep 0.3
    pid=$(pgrep -P "$timed")
    [[ $1 == alone ]] || tmux -f /dev/null -L look new-session -d -x 120 -y 40 "$tool top $pid"
    wait "$timed"
    tmux -L look kill-server 2>/dev/null || true
    sleep 0.3 # a server that is just ending would take the next session with it
}

median() { # alone|looked_at
    awk '{ print $1 + $2 }' "$work/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for ((round = 0; round < rounds; round++)); do
    run_once alone
    run_once looked_at
done
awk -v alone="$(median alone)" -v looked_at="$(median looked_at)" \
    'BEGIN { printf "alone %.2f s, looked at %.2f s: %+.2f %%\n", alone, looked_at, 100 * (looked_at / alone - 1) }'
