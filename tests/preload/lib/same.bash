# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the scripts beside it: runs a command plain and with the library preloaded, and holds
# the two against each other byte for byte: standard output, standard error, exit status and every
# file left in the working directory. The dynamic linker's own record of the preloaded run shows
# which malloc each process was bound to, so that a run that missed the library fails.
#
#   same NAME COMMAND...   COMMAND is a program or a function of the script
#   check NAME COMMAND...  COMMAND succeeds
#   finish                 prints `N passed, N failed` and sets the exit status
#
# POOLMALLOC_LIBRARY is the library's absolute path (any allocator's will do, for comparison).
set -u
export LC_ALL=C PATH=/usr/bin:/bin:/usr/sbin:/sbin
unset LD_PRELOAD POOLMALLOC_STATS POOLMALLOC_CONF
library=${POOLMALLOC_LIBRARY:?is not set to the library\'s path}
work=$(mktemp -d "${TMPDIR:-/tmp}/poolmalloc-preload.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# What a command leaves behind, with its files, in $work/SIDE. The directory it runs in has the
# same name on both sides, so that names in the output do not differ.
run_side() {
    local side=$1
    shift
    mkdir -p "$work/run" "$work/$side"
    (
        cd "$work/run" || exit 1
        if [[ $side == pooled ]]; then
            export LD_DEBUG=bindings LD_DEBUG_OUTPUT=$work/bindings LD_PRELOAD=$library
        fi
        "$@"
    ) >"$work/$side/stdout" 2>"$work/$side/stderr" </dev/null
    echo $? >"$work/$side/status"
    mv "$work/run" "$work/$side/files"
}

# True if the preloaded run's processes were bound to the library's malloc and no other's. (A program
# at a fixed address may stand in the middle: libraries are bound to it, and it to the library.)
bound_to_library() {
    awk -v library="$library" '
        / to [^ ]+ .*: normal symbol `malloc\x27/ {
            split($0, part, / to /); split(part[2], target, " ")
            if (target[1] == library) ours++
            else if (target[1] ~ /\.so/) { print "malloc of " target[1] ": " $0; others++ }
        }
        END {
            if (!ours) print "no malloc was the library\x27s"
            exit !ours || others
        }
    ' "$work"/bindings.*
}

same() {
    local name=$1 verdict=ok
    shift
    rm -rf "$work"/*
    run_side plain "$@"
    run_side pooled "$@"
    if ! bound_to_library >"$work/why" || [[ $(<"$work/plain/status") != 0 ]] ||
        ! diff -r "$work/plain" "$work/pooled" >>"$work/why"; then
        verdict=FAIL
    fi
    if [[ $verdict == ok ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAIL $name: plain and preloaded differ, or the plain run failed"
    head -n 20 "$work/why" "$work"/{plain,pooled}/{status,stderr}
}

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/why" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        head -n 20 "$work/why"
    fi
}

# Ends a script whose program this machine does not have.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "SKIPPED, no $program"; finish; }
    done
}

finish() {
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
}
