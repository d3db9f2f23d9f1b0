#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzzes each target for SECONDS from the corpus in tests/fuzz/corpus/NAME: build/fuzz/afl/NAME with
# AFL++, build/fuzz/NAME with libFuzzer. What they find is kept in build/fuzz/found: new inputs, and
# the crashing ones, as crash-* (libFuzzer) or in afl-NAME/default/crashes.
#   fuzz.sh SECONDS TARGET...
set -u
seconds=$1
shift
export AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
found=build/fuzz/found
passed=0
failed=0

with_libfuzzer() { # TARGET NAME
    mkdir -p "$found/$2"
    "$1" -max_total_time="$seconds" -timeout=20 -len_control=0 -rss_limit_mb=3000 \
        -print_final_stats=1 -verbosity=1 -artifact_prefix="$found/crash-$2-" "$found/$2" \
        "tests/fuzz/corpus/$2" && inputs=$(awk '/number_of_executed_units/ { print $2 }' "$log")
}

with_afl() { # TARGET NAME
    local stats=$found/afl-$2/default/fuzzer_stats
    rm -rf "$found/afl-$2"
    afl-fuzz -V "$seconds" -t 20000 -i "tests/fuzz/corpus/$2" -o "$found/afl-$2" -- "$1" &&
        inputs=$(awk '$1 == "execs_done" { print $3 }' "$stats") &&
        (($(awk '$1 ~ /^saved_(crashes|hangs)$/ { sum += $3 } END { print sum }' "$stats") == 0))
}

mkdir -p $found
for target in "$@"; do
    name=${target##*/}
    fuzzer=libfuzzer
    [[ $target != */afl/* ]] || fuzzer=afl
    log=$found/$fuzzer-$name.log
    inputs=0
    if "with_$fuzzer" "$target" "$name" >"$log" 2>&1 && ((inputs > 0)); then
        passed=$((passed + 1))
        printf 'ok   %-9s %-9s %s inputs\n' "$name" $fuzzer "$inputs"
    else
        failed=$((failed + 1))
        echo "FAIL $name, $fuzzer"
        tail -n 40 "$log"
    fi
done
echo "$passed passed, $failed failed"
exit $((failed > 0))
