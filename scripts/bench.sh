#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the rows of bench_workloads.txt under each allocator and prints tables of time and memory.
#
#   ROUNDS=5          runs of each row under each allocator; the median counts
#   VALUE_ROUNDS=1    the same for rows of kind "values", which are long
#   ONLY=pattern      only rows whose name matches this regular expression
#   ALLOCATORS="..."  of glibc jemalloc mimalloc tcmalloc poolmalloc, or NAME=LIBRARY
#   OUT=build/bench   where the programs, samples.tsv and results.tsv (medians) go
#
# The row "instructions" is not in that file: it stands for bench_instructions.sh.
# The allocators take turns within each row and start one later in each round, so that a slow moment
# of the machine does not fall on one of them alone.
set -u
cd "$(dirname "$0")/.." || exit 1

ROUNDS=${ROUNDS:-5}
VALUE_ROUNDS=${VALUE_ROUNDS:-1}
ONLY=${ONLY:-.}
OUT=${OUT:-build/bench}
ALLOCATORS=${ALLOCATORS:-glibc jemalloc mimalloc tcmalloc poolmalloc}
LAST_CPU=$(taskset -pc $$ | grep -o '[0-9]*$')
RUN_SECONDS=120
LIST=$OUT/workloads

# The library to preload: nothing for glibc, fails if it is not there.
library_of() {
    case $1 in
    glibc) return 0 ;;
    jemalloc) set -- /usr/lib/*/libjemalloc.so.2 ;;
    mimalloc) set -- /usr/lib/*/libmimalloc.so.2 ;;
    tcmalloc) set -- /usr/lib/*/libtcmalloc_minimal.so.4 ;;
    poolmalloc) set -- build/release/libpoolmalloc.so ;;
    *) set -- "${1#*=}" ;;
    esac
    [ -r "$1" ] && realpath "$1"
}

version_of() {
    case $1 in
    glibc) dpkg-query -Wf '${Version}' libc6 ;;
    jemalloc) dpkg-query -Wf '${Version}' libjemalloc2 ;;
    mimalloc) dpkg-query -Wf '${Version}' libmimalloc2.0 ;;
    tcmalloc) dpkg-query -Wf '${Version}' libtcmalloc-minimal4 ;;
    poolmalloc) git describe --always --dirty ;;
    esac 2>/dev/null
}

# Every program named in the list, and `measure`, which starts the commands that are not ours.
build_programs() {
    local program flags="-std=c17 -D_GNU_SOURCE -O2 -g -fno-builtin -pthread -Wall -Wextra"
    for program in $(awk '$2 ~ /^(call|values|cycles)$/ {print $4}' "$LIST" | sort -u) measure; do
        [ "$program" = measure ] && flags="$flags -static"
        # shellcheck disable=SC2086
        ${CC:-cc} $flags "tests/bench/$program.c" tests/bench/bench.c tests/bench/batch_queue.c \
            -o "$OUT/$program" || exit 1
    done
    [ -d "$OUT/repository" ] || scripts/bench_repository.sh "$OUT/repository" || exit 1
}

# One run; its output lines, nothing if it failed.
run_row() { # kind cpus library command...
    local kind=$1 cpus=$2 library=$3 pin=()
    shift 3
    [ "$cpus" = 1 ] && pin=(taskset -c "$LAST_CPU")
    case $kind:$1 in
    program:scripts/*) set -- "$1" "$library" "${@:2}" ;;
    program:*) set -- "$OUT/measure" "$library" 1 "$@" ;;
    start:*) set -- "$OUT/measure" "$library" 1000 "$@" ;;
    *) set -- env LD_PRELOAD="$library" "$OUT/$1" "${@:2}" ;;
    esac
    timeout -k 5 "$RUN_SECONDS" "${pin[@]}" "$@" 2>>"$OUT/errors.txt"
}

# Runs one row once under every allocator, the one numbered `turn` first.
run_round() { # turn name kind cpus command...
    local turn=$1 name=$2 kind=$3 cpus=$4 i allocator lines
    shift 4
    for ((i = 0; i < ${#names[@]}; i++)); do
        allocator=${names[(i + turn) % ${#names[@]}]}
        lines=$(run_row "$kind" "$cpus" "${libraries[$allocator]}" "$@") || lines=fail
        printf '%s\n' "$lines" | sed "s|^|$name\t$kind\t$allocator\t|" >>"$OUT/samples.tsv"
    done
}

declare -A libraries
names=()
versions=
for allocator in $ALLOCATORS; do
    name=${allocator%%=*}
    if ! library=$(library_of "$allocator"); then
        echo "bench: $allocator is not there, left out" >&2
        continue
    fi
    names+=("$name")
    libraries[$name]=$library
    versions+=", $name $(version_of "$allocator")"
done

mkdir -p "$OUT"
sed "/^#/d; /^$/d; s|@OUT@|$OUT|" scripts/bench_workloads.txt >"$LIST"
build_programs
: >"$OUT/samples.tsv"
: >"$OUT/errors.txt"
turn=0
for ((round = 1; round <= ROUNDS; round++)); do
    while read -r name kind cpus command; do
        [[ $name =~ $ONLY ]] || continue
        [[ $kind = values && $round -gt $VALUE_ROUNDS ]] && continue
        [ -t 2 ] && printf '\r\033[Kround %d of %d: %s' "$round" "$ROUNDS" "$name" >&2
        # shellcheck disable=SC2086
        run_round "$((turn++))" "$name" "$kind" "$cpus" $command </dev/null
    done <"$LIST"
done
[ -t 2 ] && printf '\r\033[K' >&2

echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs," \
    "Linux $(uname -r)$versions; median of $ROUNDS rounds"
awk -v allocators="${names[*]}" -v results="$OUT/results.tsv" -f scripts/bench_table.awk \
    "$OUT/samples.tsv"
status=$?
if [[ instructions =~ $ONLY ]]; then
    pairs=()
    for name in "${names[@]}"; do
        pairs+=("$name=${libraries[$name]}")
    done
    scripts/bench_instructions.sh "$OUT/pair" "${pairs[@]}"
fi
exit "$status"
