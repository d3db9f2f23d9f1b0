# SPDX-License-Identifier: LGPL-2.1-or-later
# Allocation-heavy jq: builds, prints, parses, groups and sorts many small objects.
[range(30000) | {id: ., name: "name\(. * 7919 % 30000)", tags: [range(. % 5) | "tag\(.)"]}]
| tojson | fromjson
| group_by(.id % 50) | map({size: length, last: (sort_by(.name) | last | .name)})
| map(.size) | add
