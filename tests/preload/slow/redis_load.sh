#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The same as redis.sh under longer load.
source "${BASH_SOURCE%/*}/../lib/same.bash"
source "${BASH_SOURCE%/*}/../lib/redis.bash"
need redis-server redis-cli redis-benchmark

same "redis, longer" redis_session 60000
finish
