#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every file of src/ includes its own header and headers of strictly lower floors only, as listed
# in src/FLOORS (one floor per line, lowest first). A file on no floor is an error.
set -eu
cd "${1:-src}"
awk '
    FILENAME == "FLOORS" {
        if ($0 !~ /^#/) { floor_index++; for (i = 1; i <= NF; i++) floor[$i] = floor_index }
        next
    }
    FNR == 1 {
        module = FILENAME; sub(/\.[ch]$/, "", module); file_count++
        if (!(module in floor)) { print FILENAME ": on no floor"; bad++ }
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        included = $0; sub(/^[^"]*"/, "", included); sub(/".*/, "", included)
        if (included == "poolmalloc.h") next
        sub(/\.h$/, "", included)
        if (included == module) next
        if (!(included in floor)) { print FILENAME ": " included " is on no floor"; bad++; next }
        if (floor[included] >= floor[module]) { print FILENAME ": " included " is not below"; bad++ }
    }
    END { if (file_count == 0) { print "no files"; bad++ } exit bad > 0 }
' FLOORS *.[ch]
