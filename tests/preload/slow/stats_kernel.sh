#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# resident, as `poolmalloc stats` says it, is within 1 % of what the kernel says of the same mappings:
# redis-server under load, and python3, at several moments of each.
#
# Ours are the private writable mappings without a file that are not [heap] or [stack], do not
# follow a guard (a thread's stack) and do not follow a library's data (its .bss).
source "${BASH_SOURCE%/*}/../lib/same.bash"
source "${BASH_SOURCE%/*}/../lib/redis.bash"
need python3 redis-server redis-cli redis-benchmark
cd "$work" || exit 1

kernel_bytes() { # PID
    awk '$1 ~ /^[0-9a-f]+-[0-9a-f]+$/ {
             split($1, at, "-")
             ours = $2 == "rw-p" && NF == 5 && !(at[1] == last_end && (last_guard || last_file))
             last_end = at[2]; last_guard = $2 == "---p"; last_file = NF > 5
         }
         ours && $1 == "Rss:" { sum += $2 }
         END { print sum * 1024 }' "/proc/$1/smaps"
}

# Holds a report against smaps while the process stands still, so that both are of one moment. The
# moment may lie inside a purge: the best of five looks counts.
within_one_percent() { # NAME PID
    local name=$1 process=$2 ours kernel best=9
    for _ in {1..5}; do
        kill -STOP "$process"
        until ! grep -qv ' T ' <(sed 's/.*)//' "/proc/$process"/task/*/stat); do sleep 0.01; done
        kernel=$(kernel_bytes "$process")
        ours=$("$command" stats --format=json "$process" | awk -F'[:,]' '/^"resident"/ { print $2 }')
        kill -CONT "$process"
        best=$(awk -v a="$ours" -v b="$kernel" -v best="$best" \
            'BEGIN { d = a > b ? (a - b) / b : (b - a) / b; print d < best ? d : best }')
        awk -v d="$best" 'BEGIN { exit !(d <= 0.01) }' && break
        sleep 0.2
    done
    printf '%-28s ours %12d  kernel %12d  best difference %.2f %%\n' "$name" "$ours" "$kernel" \
        "$(awk -v d="$best" 'BEGIN { print d * 100 }')"
    if awk -v d="$best" 'BEGIN { exit !(d <= 0.01) }'; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}

command=${library%/*}/poolmalloc

# ---- python3 ------------------------------------------------------------------------------------
cat >"$work/program.py" <<'SCRIPT'
import sys
def pause(moment):
    print(moment, flush=True)
    sys.stdin.readline()
words = ["word %d" % i for i in range(1500000)]
large = bytearray(300 << 20)
pause("filled")
del words[::3]
pause("a third freed")
del words, large
pause("all freed")
SCRIPT
mkfifo to_python
LD_PRELOAD=$library PYTHONMALLOC=malloc python3 program.py <to_python >moments &
python=$!
exec 7>to_python
for moment in "filled" "a third freed" "all freed"; do
    for _ in {1..300}; do grep -q "^$moment" moments && break; sleep 0.1; done
    within_one_percent "python3, $moment" $python
    echo >&7
done
exec 7>&-
wait $python

# ---- redis-server -------------------------------------------------------------------------------
export LD_PRELOAD=$library
start_redis
unset LD_PRELOAD
load() { redis-benchmark -p "$port" -q -n "$1" -c 20 -r 200000 -d 300 -t set,lpush,hset >/dev/null 2>&1; }
load 50000
within_one_percent "redis-server, loaded" "$server"
load 100000 &
loader=$!
sleep 1
within_one_percent "redis-server, under load" "$server"
wait $loader
redis-cli -p "$port" flushall >/dev/null
within_one_percent "redis-server, flushed" "$server"
redis-cli -p "$port" shutdown nosave
wait "$server"
finish
