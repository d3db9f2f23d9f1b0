#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# python3: its own JSON tests, threads, processes, big integers, and every malloc through the
# library (PYTHONMALLOC=malloc turns off python's own pools).
source "${BASH_SOURCE%/*}/lib/same.bash"
need python3
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

cat >"$work.py" <<'SCRIPT'
import collections, json, multiprocessing, random, re, threading, zlib

random.seed(1)
rows = [{"id": i, "name": "n%d" % (i * 7919), "v": [random.random() for _ in range(i % 9)]}
        for i in range(20000)]
text = json.dumps(rows)
print(len(text), zlib.crc32(text.encode()), json.loads(text) == rows)

def work(seed):
    own = random.Random(seed)
    words = collections.Counter("w%d" % own.randrange(500) for _ in range(20000))
    return zlib.crc32(repr(sorted(words.items())).encode())

results = {}
def store(seed):
    results[seed] = work(seed)
threads = [threading.Thread(target=store, args=(i,)) for i in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(results.items()))
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(8)) == [results[i] for i in range(8)])
print(zlib.crc32(str(3 ** 8000).encode()), len(re.findall(r"n\d+", text)))
SCRIPT
trap 'rm -rf "$work" "$work.py"' EXIT

same "python3 script" python3 "$work.py"
PYTHONMALLOC=malloc same "python3 script, all through malloc" python3 "$work.py"

# Times and the machine's load are masked: everything else must be the same.
json_tests() {
    python3 -m test test_json 2>&1 |
        sed -E 's/[0-9.]+ (ms|sec|min)/TIME/g; s/[0-9]+:[0-9:]+/TIME/; s/load avg: [0-9.]+/LOAD/'
    return "${PIPESTATUS[0]}"
}
same "python3's test_json" json_tests
finish
