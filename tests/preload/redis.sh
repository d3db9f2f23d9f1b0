#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# redis-server with two I/O threads and a background save, under redis-benchmark, on loopback.
source "${BASH_SOURCE%/*}/lib/same.bash"
source "${BASH_SOURCE%/*}/lib/redis.bash"
need redis-server redis-cli redis-benchmark

same "redis" redis_session 2000
finish
