#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs checks one after the other, a line for each, and closes with `N passed, N failed`.
#
#   gate:NAME          `make NAME`
#   .../tests/abort/X  a program that must end as its source says (scripts/run_abort.sh)
#   X.sh               a shell script
#   anything else      a program, under $EMULATOR if that is set
#
# A check whose last line is `N passed, N failed` counts as that many; any other counts as one by
# its exit status. What a failed check printed is shown. CHECK_SECONDS bounds each check.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
total_passed=0
total_failed=0

run_one() {
    local limit="timeout --kill-after=10 ${CHECK_SECONDS:-900}"
    case $1 in
    gate:*) $limit "${MAKE:-make}" --no-print-directory -s "${1#gate:}" ;;
    */tests/abort/*) $limit scripts/run_abort.sh "$1" ;;
    *.sh) $limit bash "$1" ;;
    *) $limit ${EMULATOR:-} "$1" ;;
    esac
}

for check in "$@"; do
    started=$SECONDS
    run_one "$check" >"$log" 2>&1 </dev/null
    status=$?
    passed=0
    failed=0
    if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=${BASH_REMATCH[1]}
        failed=${BASH_REMATCH[2]}
    elif ((status == 0)); then
        passed=1
    fi
    # A status that its totals do not explain is a failure of its own.
    if ((status != 0 && failed == 0)); then failed=1; fi
    if ((failed > 0)); then
        printf 'FAIL %-48s status %d\n' "$check" "$status"
        sed 's/^/     /' "$log"
    else
        printf 'ok   %-48s %4d  %3d s\n' "$check" "$passed" $((SECONDS - started))
    fi
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
done

echo "$total_passed passed, $total_failed failed"
((total_failed == 0 && total_passed > 0))
