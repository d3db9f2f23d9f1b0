# SPDX-License-Identifier: LGPL-2.1-or-later
"""map_agrees.py TOOL PID: the data of `map` agree with themselves and with `stats`."""
import base64, json, subprocess, sys
tool, pid = sys.argv[1:]
page = subprocess.run([tool, "map", pid, "-"], capture_output=True, text=True, check=True).stdout
data = json.loads(page.split("const data = ", 1)[1].split(";\n", 1)[0])
stats = json.loads(subprocess.run([tool, "stats", "-f", "json", pid], capture_output=True,
                                  check=True).stdout)["poolmalloc"]["totals"]
active = 0
for chunk in data["chunks"]:
    marks = base64.b64decode(chunk["pages"])[::4]
    assert len(marks) == data["chunkPages"]
    active += sum(mark >= 3 for mark in marks) * data["pageBytes"]
huge = sum(size for _, size in data["huge"])
assert len(data["chunks"]) == stats["chunks"], (len(data["chunks"]), stats["chunks"])
assert abs(active + huge - stats["active"]) < 0.02 * stats["active"] + 65536, (active, huge, stats)
assert huge == stats["huge"]
print("map agrees")
