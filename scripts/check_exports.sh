#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The shared and the static library define exactly the names of tests/exports.txt, one per line,
# sorted, and the shared one gives them no version (a named version defeats LD_PRELOAD).
# With --update, writes that list from the shared library.
set -eu
export LC_ALL=C
list=tests/exports.txt
if [[ $1 == --update ]]; then
    nm -D --defined-only "$2" | awk '{ print $NF }' | sort > $list
    exit
fi
[[ -s $list ]] || { echo "exports: $list is missing"; exit 1; }

# The archive leaves the making of threads to libc.
compare() {
    diff -u --label $list --label "$1" <(sed "$3" $list) <(nm $2 --defined-only "$1" |
        awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | sort -u)
}
result=0
compare "$1" -D "" || result=1
compare "$2" --extern-only '/^pthread_create$/d; /^thrd_create$/d' || result=1
# True synonyms share one address, so that malloc costs no jump.
for pair in malloc:pm_malloc free:pm_free; do
    nm -D "$1" | awk -v a="${pair%:*}" -v b="${pair#*:}" '$3 == a { x = $1 } $3 == b { y = $1 }
        END { if (x == "" || x != y) { print a " is not " b; exit 1 } }' || result=1
done
((result == 0)) || echo "exports: if meant, scripts/check_exports.sh --update LIBRARY"
exit $result
