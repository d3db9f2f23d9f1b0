#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A million frames through the example server, as built for release and by the sanitizers.
set -u
failed=0
for variant in release asan tsan; do
    program=build/$variant/tests/stress/frame_server
    if ! { make --no-print-directory VARIANT=$variant "$program" &&
        timeout 300 "$program" 1000000; } >build/million_frames.log 2>&1; then
        echo "FAIL a million frames, $variant"
        tail -20 build/million_frames.log
        ((failed++))
    fi
done
echo "$((3 - failed)) passed, $failed failed"
exit $((failed > 0))
