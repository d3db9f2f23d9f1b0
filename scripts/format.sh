#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Formats every C and C++ file of the tree; with --check, changes nothing and fails if one differs.
set -euo pipefail
mapfile -t files < <(find include src preload tests scripts \
    \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print)
((${#files[@]} > 0)) || { echo "format: no files found" >&2; exit 1; }
if [[ ${1-} == --check ]]; then
    clang-format --dry-run "${files[@]}" 2>&1 | sed -n 's/:.*code should be.*/: run make reformat/p' |
        sort -u | awk '{ print } END { exit NR > 0 }'
else
    clang-format -i "${files[@]}"
fi
