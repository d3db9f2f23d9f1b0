#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a program of tests/abort, which must die by SIGABRT with exactly the line that its source
# names in a comment `/* expect: LINE */`; addresses on stderr read as ADDRESS. A source with
# several such comments has cases: the program gets the case's number, from 0, as its argument.
set -u
program=$1
source=tests/abort/${program##*/}.c
mapfile -t expected < <(sed -n 's|^/\* expect: \(.*\) \*/$|\1|p' "$source")
passed=0
failed=0

for case_index in "${!expected[@]}"; do
    # The subshell keeps bash's own "Aborted" line out of what is compared.
    actual=$( (ulimit -c 0; exec ${EMULATOR:-} "$program" "$case_index") 2>&1 >/dev/null)
    status=$?
    actual=$(sed -E 's/0x[0-9a-f]+/ADDRESS/g' <<<"$actual")
    if ((status == 128 + 6)) && [[ $actual == "${expected[case_index]}" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'case %d of %s\n  expected: %s (status 134)\n  actual:   %s (status %d)\n' \
            "$case_index" "$source" "${expected[case_index]}" "$actual" "$status"
    fi
done

((${#expected[@]} > 0)) || echo "$source names no expected line"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
