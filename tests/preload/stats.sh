#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# POOLMALLOC_STATS: every format is what its readers take, reports come when they are asked for and
# once, the program is not disturbed, and what cannot be done is said in one line.
source "${BASH_SOURCE%/*}/lib/same.bash"
need python3
root=$(cd "${BASH_SOURCE%/*}/../.." && pwd)

# The program under test: some memory of every kind, an answer on standard output.
cat >"$work/program.py" <<'SCRIPT'
import threading
words = ["w%d" % i for i in range(100000)]
large = [bytes(i * 1000) for i in range(100)]
huge = bytearray(64 << 20)
threads = [threading.Thread(target=sorted, args=(words,)) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(words), len(huge))
SCRIPT

# Runs a command on the pool with the statistics wanted; standard error goes to $work/stderr.
pooled() { # POOLMALLOC_STATS COMMAND...
    local wanted=$1
    shift
    POOLMALLOC_STATS=$wanted PYTHONMALLOC=malloc LD_PRELOAD=$library "$@" 2>"$work/stderr"
}

# ---- Formats ------------------------------------------------------------------------------------

waterfall_adds_up() {
    [[ $(pooled 1 python3 "$work/program.py") == "100000 67108864" ]] || return 1
    awk '/^[-+=] |^  in use/ && NF > 3 {
             sign = /^=/ ? "=" : /^-/ ? "-" : "+"
             if (sign == "=") { sums++; if (sum != $NF) { print "not " sum ": " $0; bad++ } }
             else sum += sign == "-" ? -$NF : $NF
         }
         END { exit bad || sums != 2 }' "$work/stderr" && grep -q '^Most of ' "$work/stderr"
}
check "the waterfall adds up" waterfall_adds_up

json_fits_its_schema() {
    pooled "json:$work/report.json" python3 "$work/program.py"
    [[ ! -s $work/stderr ]] || return 1
    /usr/bin/python3 - "$work/report.json" "$root/docs/statistics.schema.json" <<'SCRIPT'
import json, sys
report, schema = (json.load(open(path)) for path in sys.argv[1:])
top = schema["properties"]["poolmalloc"]["properties"]
report_top = report["poolmalloc"]
# What the library says and what is documented are the same names.
assert list(report_top) == list(top), "top"
for part, described in (("totals", top["totals"]), ("classes", top["classes"]["items"]),
                        ("arenas", top["arenas"]["items"])):
    one = report_top[part] if part == "totals" else report_top[part][0]
    assert set(one) == set(described["properties"]), part
assert report_top["totals"]["live_blocks"] == sum(c["live"] for c in report_top["classes"])
try:
    import jsonschema
except ImportError:
    print("no jsonschema: structure not checked")
else:
    jsonschema.validate(report, schema)
SCRIPT
}
check "JSON fits its schema" json_fits_its_schema

promtool_is_content() {
    pooled "prometheus:$work/report.prom" python3 "$work/program.py"
    local complaints
    complaints=$(promtool check metrics <"$work/report.prom" 2>&1) && [[ -z $complaints ]]
}
if command -v promtool >/dev/null; then check "promtool is content" promtool_is_content; fi

openmetrics_is_strict() {
    pooled "openmetrics:$work/report.om" python3 "$work/program.py"
    /usr/bin/python3 - "$work/report.om" <<'SCRIPT'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(open(sys.argv[1]).read())}
assert families["poolmalloc_resident_bytes"].unit == "bytes"
assert families["poolmalloc_purged_bytes"].type == "counter"
assert sum(len(f.samples) for f in families.values()) < 80
SCRIPT
}
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
    check "OpenMetrics passes a strict parser" openmetrics_is_strict
fi

says_it_in_spite_of_a_closed_stderr() {
    pooled 1 /bin/ls / >"$work/ls"
    grep -q "^= resident" "$work/stderr" # coreutils close both outputs before they end
}
check "a program that closes its outputs" says_it_in_spite_of_a_closed_stderr

appends_to_a_link() {
    echo first >"$work/linked"
    ln -s linked "$work/link"
    pooled "json:$work/link" bash -c 'echo fine' && test -L "$work/link" &&
        [[ $(head -c 5 "$work/linked") == first && $(wc -l <"$work/linked") -gt 10 ]]
}
check "a link is followed, not replaced" appends_to_a_link

# ---- When ---------------------------------------------------------------------------------------

one_report_after_fork() {
    pooled 1 python3 -c 'import os, sys; pid = os.fork(); pid and os.wait(); sys.exit(0)'
    [[ $(grep -c 'memory of process' "$work/stderr") == 1 ]]
}
check "a forked child says nothing" one_report_after_fork

a_file_for_each_process() {
    mkdir "$work/each"
    pooled "json:$work/each/%p-%t" python3 -c 'import os, sys; os.fork() and os.wait(); sys.exit(0)'
    [[ $(ls "$work/each" | grep -Ec '^[0-9]+-[0-9]+$') == 2 && $(ls "$work/each" | wc -l) == 2 ]]
}
check "a forked child has a file of its own" a_file_for_each_process

# Waits up to half a minute for a condition.
eventually() {
    for _ in {1..300}; do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}

signal_asks_for_a_report() {
    POOLMALLOC_STATS_SIGNAL=12 pooled "json:$work/signal.json" \
        python3 -c 'print("up", flush=True); import time; time.sleep(60)' >"$work/up" &
    local job=$!
    eventually grep -q up "$work/up" || return 1
    local process
    process=$(pgrep -P $job python3 || echo $job)
    kill -USR2 "$process"
    eventually test -s "$work/signal.json" && kill -0 "$process"
    local status=$?
    kill "$process"
    wait $job
    return $status
}
check "a signal asks for a report" signal_asks_for_a_report

# Signals that meet allocations, reports and each other: the program ends as if there were none.
a_storm_of_signals() {
    POOLMALLOC_STATS_SIGNAL=12 POOLMALLOC_STATS_INTERVAL=1 pooled "json:$work/storm.json" python3 -c '
import os, sys, threading
print("up", flush=True)
is_asked_to_end = lambda: os.path.exists(sys.argv[1])
def work():
    while not is_asked_to_end(): held = [bytes(i % 3000) for i in range(5000)]
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")' "$work/end" >"$work/storm" &
    local job=$! process
    eventually grep -q up "$work/storm" || return 1
    process=$(pgrep -P $job python3 || echo $job)
    for _ in {1..500}; do kill -USR2 "$process" || return 1; sleep 0.002; done
    touch "$work/end"
    wait $job && grep -q done "$work/storm" &&
        [[ ! -s $work/stderr ]] && /usr/bin/python3 -m json.tool "$work/storm.json" >"$work/parsed"
}
check "a storm of signals" a_storm_of_signals

reports_by_interval() {
    mkdir "$work/interval"
    POOLMALLOC_STATS_INTERVAL=1 pooled "json:$work/interval/%t" python3 -c '
import os, sys, time
end = time.time() + 60
while time.time() < end and len(os.listdir(sys.argv[1])) < 3: held = [bytes(3000) for _ in range(2000)]
sys.exit(time.time() >= end)' "$work/interval"
}
check "reports come by interval" reports_by_interval

# ---- What cannot be done ------------------------------------------------------------------------

says_one_line() { # POOLMALLOC_STATS PATTERN
    [[ $(pooled "$1" bash -c "echo fine") == fine && $(wc -l <"$work/stderr") == 1 ]] &&
        grep -q "^poolmalloc: warning: .*$2" "$work/stderr"
}
check "an unknown format" says_one_line yaml 'not "yaml"'
check "a word that only begins like a format" says_one_line jsonx:/tmp/x 'not "jsonx:/tmp/x"'
check "a file that cannot be written" says_one_line json:/nonexistent/x 'cannot write to "/nonexistent/x"'
says_nothing() {
    [[ $(pooled "$1" bash -c "echo fine") == fine && ! -s $work/stderr ]]
}
check "0 means off" says_nothing 0
check "empty means off" says_nothing ""
finish
