#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# python3's own tests of threads and of processes made by fork from a threaded parent.
source "${BASH_SOURCE%/*}/../lib/same.bash"
need python3
export PYTHONHASHSEED=0

own_tests() {
    python3 -m test "$@" >log 2>&1
    local status=$?
    ((status == 0)) || cat log >&2
    rm -rf log ./*
    echo "status $status"
    return $status
}

same "python3's test_threading" own_tests test_threading
same "python3's test_multiprocessing_fork" own_tests test_multiprocessing_fork
finish
