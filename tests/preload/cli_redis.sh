#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command on a redis-server under load: all that it says of a moment adds up.
source "${BASH_SOURCE%/*}/lib/cli.bash"
source "$sources/redis.bash"
need redis-server redis-cli redis-benchmark python3
sources=$(realpath "$sources")
cd "$work" || exit 1
redis-server() { exec "$tool" run redis-server "$@"; }

start_redis || finish
redis-benchmark -p "$port" -q -n 30000 -c 20 -r 10000 -d 1000 -t set,lpush,hset >/dev/null
expect "doctor" 0 'adds up' bash "$sources/agreeing.sh" \
    python3 "$sources/adds_up.py" "$tool" "$server"
expect "map" 0 'map agrees' bash "$sources/agreeing.sh" \
    python3 "$sources/map_agrees.py" "$tool" "$server"
redis-benchmark -p "$port" -q -l -c 20 -r 10000 -d 1000 -t set,lpush >/dev/null 2>&1 &
load=$!
sleep 0.5
expect "under load: stats" 0 'is in use by the program' "$tool" stats --short "$server"
expect "under load: doctor" 0 'resident, as the kernel has it' "$tool" doctor "$server"
expect "under load: rates" 0 'a second: .*[1-9].* allocs' "$tool" top --once "$server"
expect "under load: map" 0 'chunks' "$tool" map "$server" map.html
expect "under load: trim" 0 'resident before' "$tool" trim "$server"
kill $load
expect "the server goes on" 0 PONG redis-cli -p "$port" ping
redis-cli -p "$port" shutdown nosave
wait "$server"
finish
