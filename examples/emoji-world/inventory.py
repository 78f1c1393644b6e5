#!/usr/bin/env python3
"""Rows of a task that the shipped model has not learned, made of what is true of a folder of scenes: "inventory" is
answered by how many there are of each kind of thing, "animal 2, fruit 1".

    examples/emoji-world/inventory.py FOLDER > FOLDER/inventory.jsonl
"""
import collections
import json
import pathlib
import sys

if len(sys.argv) != 2:
    sys.exit(__doc__.strip())
for line in (pathlib.Path(sys.argv[1]) / "truth.jsonl").read_text().splitlines():
    scene = json.loads(line)
    kinds = collections.Counter(one["kind"] for one in scene["objects"])
    answer = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    print(json.dumps({"image": scene["image"], "prefix": "inventory", "suffix": answer}))
