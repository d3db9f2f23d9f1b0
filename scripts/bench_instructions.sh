#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Instructions of a cached malloc and free of 64 bytes, counted by valgrind's callgrind: the
# difference of a long and a short run, so that start-up and warm-up cancel. Then cycles and
# instructions by the processor's own counters, where perf can read them.
#
#   bench_instructions.sh PAIR_PROGRAM NAME=LIBRARY...      (LIBRARY empty for glibc)
set -u
pair=$1
shift
short=20000 long=40000
# `pair` warms up with a tenth of its pairs.
counted=$(((long - short) * 11 / 10))

# All instructions, or those inside one function and what it calls. The pool's malloc and pm_malloc
# are one address, which callgrind may call by either name.
instructions() { # library pairs [function]
    LD_PRELOAD=$1 valgrind --tool=callgrind ${3:+--toggle-collect="$3"} \
        ${3:+--toggle-collect="pm_$3"} \
        --callgrind-out-file=/dev/null "$pair" malloc 64 "$2" 2>&1 | awk '/Collected/ {print $NF}'
}

per_call() { # library [function]
    local few many
    few=$(instructions "$1" "$short" "${2:-}")
    many=$(instructions "$1" "$long" "${2:-}")
    awk -v few="${few:-0}" -v many="${many:-0}" -v n="$counted" \
        'BEGIN {if (many > few) printf "%.1f", (many - few) / n; else printf "-"}'
}

# Cycles and instructions of a pair by the processor's counters, start-up spread over ten million.
by_counters() { # library
    command -v perf >/dev/null || { echo 'perf is not installed'; return; }
    perf stat -x, -e cycles,instructions env LD_PRELOAD="$1" "$pair" malloc 64 10000000 2>&1 \
        >/dev/null | awk -F, '
            $1 ~ /^[0-9]/ {printf "%s %.1f  ", $3, $1 / 11000000; counted = 1}
            END {if (!counted) printf "not supported here"}'
}

echo
echo "Instructions per call (callgrind, 64 B, cached) and counters of the processor (perf)"
printf '%-14s%10s%10s%18s   %s\n' '' malloc free 'pair with loop' 'perf, per pair with loop'
for allocator in "$@"; do
    library=${allocator#*=}
    if command -v valgrind >/dev/null; then
        counts=("$(per_call "$library" malloc)" "$(per_call "$library" free)"
            "$(per_call "$library")")
    else
        counts=(- - -)
    fi
    printf '%-14s%10s%10s%18s   %s\n' "${allocator%%=*}" "${counts[@]}" \
        "$(by_counters "$library")"
done
