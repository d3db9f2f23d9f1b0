#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# GNU sort with two threads, on a file of numbers in a fixed pseudo-random order.
source "${BASH_SOURCE%/*}/lib/same.bash"

sort_numbers() {
    awk 'BEGIN { x = 1; for (i = 0; i < 400000; i++) { x = x * 16807 % 2147483647; print x, i } }' \
        >numbers
    sort --parallel=2 --buffer-size=8M numbers >by-text
    sort --parallel=2 --numeric-sort --key=2,2r numbers >by-number
    sort --unique by-text by-number | wc
    join by-text <(sort numbers) | cksum
}

same "sort, two threads" sort_numbers
finish
