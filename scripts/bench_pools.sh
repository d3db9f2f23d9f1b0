#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cost of object pools and buffers beside plain allocation: tests/bench/pool_pair.c under every
# method and 1, 2 and 16 threads, the median of some rounds.
#
#   ROUNDS=5    MILLIONS=20    OUT=build/bench
set -eu
cd "$(dirname "$0")/.."
ROUNDS=${ROUNDS:-5}
MILLIONS=${MILLIONS:-20}
OUT=${OUT:-build/bench}
mkdir -p "$OUT"
program=$OUT/pool_pair
# Where a loop lies in its cache line costs a pair up to 8 %, more than the methods differ by.
${CC:-cc} -std=c17 -D_GNU_SOURCE -O2 -g -fno-builtin -pthread -Wall -Wextra -Iinclude \
    -falign-functions=64 -falign-loops=64 \
    tests/bench/pool_pair.c -Lbuild/release -lpoolmalloc -Wl,-rpath,"$PWD/build/release" \
    -o "$program"

# Calls of the kernel in a run of N million pairs, less those of a run of none.
system_calls() { # experiment method
    local counts=() millions
    for millions in 0 1; do
        counts+=("$(strace -f -c -o /dev/stdout "$program" "$1" "$2" 1 $millions |
            awk '$NF == "total" { print $4 ~ /^[0-9]+$/ ? $4 : $3 }')")
    done
    echo $((counts[1] - counts[0]))
}

# Methods take turns within a round, so that a slow moment does not fall on one alone.
rows='pair pool;pair pm_malloc;pair glibc;pair mutex_list;pair fixed
      kib pool;kib buffer;kib pm_malloc;kib pm_calloc;kib glibc'
samples=$OUT/pool_samples.tsv
: > "$samples"
for ((round = 0; round < ROUNDS; round++)); do
    for threads in 1 2 16; do
        tr ';' '\n' <<<"$rows" | while read -r experiment method; do
            # 16 threads get a share each, so that a row takes about as long as the others.
            "$program" $experiment $method $threads \
                "$(awk "BEGIN { print $MILLIONS / ($threads > 2 ? $threads / 2 : 1) }")"
        done
    done
done >> "$samples"

printf 'experiment method threads ns/pair faults system-calls-per-million\n'
sort -k1,1 -k3,3n -k2,2 -k4,4n "$samples" | awk -v rounds="$ROUNDS" '
    NR % rounds == int((rounds + 1) / 2) % rounds { print $1, $2, $3, $4, $5 }' |
    while read -r experiment method threads ns faults; do
        calls=-
        [[ $experiment$threads == kib1 ]] && command -v strace >/dev/null &&
            calls=$(system_calls "$experiment" "$method")
        printf '%s %s %s %s %s %s\n' "$experiment" "$method" "$threads" "$ns" "$faults" "$calls"
    done | sort -k1,1 -k3,3n -k4,4n
