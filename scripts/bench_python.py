# SPDX-License-Identifier: LGPL-2.1-or-later
# Allocation-heavy Python: objects, strings, dictionaries, JSON; run with PYTHONMALLOC=malloc.
import json
import random

random.seed(1)
words = ["w%d" % random.randrange(20000) for _ in range(120000)]
index = {}
for position, word in enumerate(words):
    index.setdefault(word, []).append(position)


class Node:
    def __init__(self, key):
        self.key, self.left, self.right = key, None, None


def insert(root, key):
    while root.key != key:
        side = "left" if key < root.key else "right"
        child = getattr(root, side)
        if child is None:
            setattr(root, side, Node(key))
            return
        root = child


root = Node("")
for word in words[:30000]:
    insert(root, word)
text = json.dumps([{"word": word, "at": index[word]} for word in list(index)[:8000]])
copies = [json.loads(text) for _ in range(3)]
lines = " ".join(words).replace("w1", "one ").split(" ")
print(len(lines), len(copies), sum(len(places) for places in index.values()))
