# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of the command: runs it and looks at its exit status and at what it says.
#
#   expect NAME STATUS PATTERN COMMAND...     PATTERN (grep -E) is in the output
#   complains NAME STATUS PATTERN COMMAND...  nothing but one line on standard error, which matches
#   build NAME COMPILER_ARGUMENT...           compiles $work/NAME
#   start COMMAND...                          in the background, until it says ready; $started
#   finish                                    prints `N passed, N failed` and sets the exit status
source "${BASH_SOURCE%/*}/same.bash"
tool=${library%/*}/poolmalloc
sources=${BASH_SOURCE%/*}
[[ -x $tool ]] || { echo "SKIPPED, no $tool"; finish; }

verdict() { # NAME OK
    if [[ $2 == ok ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAIL $1"
    head -n 20 "$work/stdout" "$work/stderr"
}

run_tool() { # STATUS COMMAND...
    local wanted=$1
    shift
    timeout 120 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
    status=$?
    [[ $status == "$wanted" ]] || echo "status $status, not $wanted" >>"$work/stderr"
    [[ $status == "$wanted" ]]
}

expect() {
    local name=$1 wanted=$2 pattern=$3 ok=FAIL
    shift 3
    run_tool "$wanted" "$@" && { [[ -z $pattern ]] ||
        cat "$work/stdout" "$work/stderr" | grep -Eq -- "$pattern"; } && ok=ok
    verdict "$name" $ok
}

complains() {
    local name=$1 wanted=$2 pattern=$3 ok=FAIL
    shift 3
    run_tool "$wanted" "$@" && [[ ! -s $work/stdout && $(wc -l <"$work/stderr") == 1 ]] &&
        grep -Eq -- "^poolmalloc: .*$pattern" "$work/stderr" && ok=ok
    verdict "$name" $ok
}

build() { # NAME COMPILER_ARGUMENT...
    local name=$1
    shift
    gcc -O1 -w -o "$work/$name" "$@" -pthread || { echo "FAIL build $name"; failed=$((failed + 1)); }
}

# Its input stays open until `stop`.
start() { # COMMAND...
    rm -f "$work/input" "$work/ready"
    mkfifo "$work/input"
    "$@" <"$work/input" >"$work/ready" 2>&1 &
    started=$!
    exec {input}>"$work/input"
    for _ in {1..600}; do
        grep -qs ready "$work/ready" && return 0
        sleep 0.1
    done
    echo "FAIL $* did not start"
    failed=$((failed + 1))
}

stop() {
    exec {input}>&-
    unset input
    wait "$started"
}
