#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Servers under load with forks and restarts: redis with background saves, memcached, nginx with
# reloads, PostgreSQL. POOLMALLOC_LOAD_SECONDS=600 runs each side of each for ten minutes.
source "${BASH_SOURCE%/*}/../lib/same.bash"
source "${BASH_SOURCE%/*}/../lib/servers.bash"

declare -A programs=([redis]=redis-benchmark [memcached]=memcached [nginx]=nginx [postgresql]=pgbench)
for name in ${POOLMALLOC_SERVERS:-redis memcached nginx postgresql}; do
    if command -v "${programs[$name]}" >/dev/null; then
        compare_server "$name"
    else
        echo "SKIPPED $name, no ${programs[$name]}"
    fi
done
finish
