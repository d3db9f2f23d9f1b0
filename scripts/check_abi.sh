#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compares the ABI of the built library with the last release's, kept as libabigail XML in
# tests/abi/. Without a baseline (before the first release) there is nothing to compare.
#   check_abi.sh LIBRARY            compare
#   check_abi.sh --update LIBRARY   write the baseline
set -eu
baseline=tests/abi/libpoolmalloc.abi
if [[ $1 == --update ]]; then
    mkdir -p tests/abi
    abidw --no-corpus-path --no-comp-dir-path --headers-dir include --out-file $baseline "$2"
elif [[ -s $baseline ]]; then
    abidiff --no-added-syms --headers-dir2 include $baseline "$1"
else
    echo "abi: no baseline yet"
fi
