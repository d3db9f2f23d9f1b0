#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# redis-server on a Unix socket with a library preloaded, redis-benchmark without. Operation: the
# whole load, in CPU time of the server; the peak is the server's. Prints one line, as the programs
# of tests/bench do.
#
#   bench_redis.sh LIBRARY REQUESTS     (LIBRARY empty for glibc)
#
# Debian links the server with jemalloc, so libc has to be preloaded to get glibc's allocator.
set -eu
library=${1:-$(ldd /bin/true | awk '$1 == "libc.so.6" {print $3}')}
requests=$2
directory=$(mktemp -d)
socket=$directory/socket
LD_PRELOAD=$library redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no \
    --dir "$directory" >/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server"; rm -rf "$directory"' EXIT
for ((i = 0; i < 200; i++)); do
    [ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ] && break
    sleep 0.02
done

redis-benchmark -s "$socket" -q -n "$requests" -r 100000 -d 200 -P 16 -c 16 \
    -t set,get,lpush,lpop,hset,zadd >/dev/null
cpu_ns=$(redis-cli -s "$socket" info cpu | tr -d '\r' |
    awk -F: '/^used_cpu_(sys|user):/ {sum += $2} END {printf "%.0f", sum * 1e9}')
peak_kib=$(awk '/^VmHWM/ {print $2}' "/proc/$server/status")
printf 'time\tredis\t1\t%d\t%d\n' "$cpu_ns" $((peak_kib * 1024))
