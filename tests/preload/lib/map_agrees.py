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
    pages, tree = base64.b64decode(chunk["pages"]), base64.b64decode(chunk["tree"])
    marks = pages[::4]
    assert len(marks) == data["chunkPages"] and len(tree) == 2 * len(marks)
    # The leaves of the tree and the pages agree where the tree's upper nodes leave it to them.
    def free(node, order):
        if tree[node] == 0: return [True] * (1 << order)
        if tree[node] == order + 1: return [False] * (1 << order)
        return free(2 * node, order - 1) + free(2 * node + 1, order - 1)
    assert free(1, 11) == [mark < 2 for mark in marks], chunk["base"]
    active += sum(mark >= 3 for mark in marks) * data["pageBytes"]
huge = sum(size for _, size in data["huge"])
assert len(data["chunks"]) == stats["chunks"], (len(data["chunks"]), stats["chunks"])
assert abs(active + huge - stats["active"]) < 0.02 * stats["active"] + 65536, (active, huge, stats)
assert huge == stats["huge"]
print("map agrees")
