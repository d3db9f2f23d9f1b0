#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs three unmodified multi-threaded programs on glibc's malloc and on the pool, by turns, and
# shows that they print the same, and the median of time and of peak memory. Then the statistics.
#   demo.sh LIBRARY
set -eu
export LC_ALL=C
unset LD_PRELOAD
library=$1
rounds=${DEMO_ROUNDS:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seq 2000000 | awk '{ print $1 * 7919 % 2000003, $1 }' >"$work/numbers"
cat >"$work/words.pl" <<'SCRIPT'
# Two threads make words, group them by their first letters in a hash, and sort each group.
use strict; use threads;
sub count {
    my ($x, %count) = shift;
    for (1 .. 300000) {
        $x = $x * 16807 % 2147483647;
        my $word = join '', map { chr(97 + ($x >> $_ * 4) % 26) } 0 .. 3 + $x % 4;
        push @{$count{substr $word, 0, 3}}, $word;
    }
    return join '', map { "$_ " . join(',', sort @{$count{$_}}) . "\n" } sort keys %count;
}
print map { $_->join } map { threads->create(\&count, $_) } 1, 2;
SCRIPT

# Runs a program once: `seconds KiB` is added to $work/SIDE, its output's checksum to $work/SIDE.sum.
run_once() { # SIDE PRELOADED PROGRAM...
    local side=$1 preloaded=$2
    shift 2
    /usr/bin/time --format='%e %M' --append --output="$work/$side" \
        env LD_PRELOAD="$preloaded" "$@" | cksum >>"$work/$side.sum"
}

median() { # MALLOC COLUMN
    awk -v column="$2" '{ print $column }' "$work/$1" | sort -n |
        awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

mebibytes() { # SIDE
    median "$1" 2 | awk '{ printf "%.1f", $1 / 1024 }'
}

compare() { # NAME PROGRAM...
    local name=$1 verdict=same
    shift
    rm -f "$work"/{glibc,pool}{,.sum}
    for ((round = 0; round < rounds; round++)); do
        run_once glibc '' "$@"
        run_once pool "$library" "$@"
    done
    # Every run of both sides must have printed the same.
    (($(sort -u "$work"/{glibc,pool}.sum | wc -l) == 1)) || verdict=DIFFERS
    printf '%-36s %-8s %7.2f s %9.2f s %8.1f MiB %8.1f MiB\n' "$name" $verdict \
        "$(median glibc 1)" "$(median pool 1)" "$(mebibytes glibc)" "$(mebibytes pool)"
    [[ $verdict == same ]]
}

printf '\n%-36s %-8s %9s %11s %12s %12s\n' '' 'output' 'glibc' 'poolmalloc' 'glibc' 'poolmalloc'
compare 'perl, two threads sorting words' perl "$work/words.pl"
compare 'sort --parallel=2, 2 million lines' sort --parallel=2 "$work/numbers"
compare "xz -T2, $(($(stat -c %s "$work/numbers") / 1000000)) MB" xz -T2 -1 --block-size=2MiB --stdout "$work/numbers"
echo "(medians of $rounds runs by turns; outputs compared by checksum; memory is the peak)"

printf '\nThe pool at the end of the perl program (POOLMALLOC_STATS=1):\n\n'
POOLMALLOC_STATS=1 LD_PRELOAD=$library perl "$work/words.pl" 2>"$work/stats" >/dev/null
[[ -s $work/stats ]] || { echo "no statistics: the library was not used"; exit 1; }
cat "$work/stats"
