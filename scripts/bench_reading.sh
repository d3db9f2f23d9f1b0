#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Does `poolmalloc top`, once a second, slow a process down? One process allocates all the time and
# tells the CPU time of each slice of its work; top looks at it for four seconds of every eight.
# Prints what the slices under its eyes took beside the others: runs of one process apart differ by
# more than what is asked. For a quiet machine.
#   bench_reading.sh [LOOKS]
set -eu
cd "$(dirname "$0")/.."
looks=${1:-10}
tool=$PWD/build/release/poolmalloc
work=$(mktemp -d)
export TMUX_TMPDIR=$work
trap 'tmux -L look kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
gcc -std=c17 -D_GNU_SOURCE -O2 -fno-builtin -pthread tests/bench/slices.c tests/bench/bench.c \
    -o "$work/slices"

"$tool" run "$work/slices" $((looks * 8 + 2)) >"$work/all" &
process=$!
sleep 2
for ((look = 0; look < looks; look++)); do
    began=$(date +%s.%N)
    tmux -f /dev/null -L look new-session -d -x 120 -y 40 "$tool top $process"
    sleep 4
    tmux -L look kill-server 2>/dev/null || true
    echo "$began $(date +%s.%N)" >>"$work/looked"
    sleep 4
done
wait "$process"
# Slices that lie across a beginning or an end, or within 0.3 s after one, count for neither.
awk 'NR == FNR { began[NR] = $1; ended[NR] = $2; n = NR; next }
     { where = 0
       for (i = 1; i <= n; i++) {
           if ($1 > began[i] + 0.3 && $1 + $2 < ended[i]) where = 1
           else if ($1 + $2 > began[i] && $1 < ended[i] + 0.3) where = 2 }
       sum[where] += $2; count[where]++ }
     END { alone = sum[0] / count[0]; looked = sum[1] / count[1]
           printf "alone %.2f ms a slice (%d), looked at %.2f ms (%d): %+.2f %%\n", 1000 * alone,
               count[0], 1000 * looked, count[1], 100 * (looked / alone - 1) }' \
    "$work/looked" "$work/all"
