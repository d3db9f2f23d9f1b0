#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# agreeing.sh COMMAND...: two looks at a process that goes on are looks at two moments. Up to ten
# tries, the last one counts.
for _ in {1..9}; do
    "$@" 2>/dev/null && exit 0
    sleep 0.3
done
exec "$@"
