#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The same as coreutils.sh on a large file: spills to temporary files and merges.
source "${BASH_SOURCE%/*}/../lib/same.bash"

sort_large() {
    awk 'BEGIN { x = 1; for (i = 0; i < 6000000; i++) { x = x * 16807 % 2147483647; print x, i } }' \
        >numbers
    sort --parallel=2 --buffer-size=64M --temporary-directory=. numbers | cksum
    sort --parallel=2 --buffer-size=600M --key=2,2nr numbers | cksum
    rm numbers
}

same "sort of a large file, two threads" sort_large
finish
