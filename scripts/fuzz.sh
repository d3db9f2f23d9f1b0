#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzzes each target (built with libFuzzer) for SECONDS from the corpus in tests/fuzz/corpus/TARGET.
# New inputs go to build/fuzz/found/TARGET, a crashing one to build/fuzz/crash-TARGET-*.
#   fuzz.sh SECONDS TARGET...
set -u
seconds=$1
shift
passed=0
failed=0
for target in "$@"; do
    name=${target##*/}
    mkdir -p "build/fuzz/found/$name"
    if "$target" -max_total_time="$seconds" -timeout=20 -len_control=0 -rss_limit_mb=3000 -print_final_stats=1 \
        -verbosity=1 -artifact_prefix="build/fuzz/crash-$name-" "build/fuzz/found/$name" \
        "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok   $name: $(awk '/number_of_executed_units/ { print $2 }' "build/fuzz/$name.log") inputs"
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        tail -n 40 "build/fuzz/$name.log"
    fi
done
echo "$passed passed, $failed failed"
exit $((failed > 0))
