#!/usr/bin/env python3
"""Makes a large index of pictures that do not exist, for bench_search, out of a small one.

    bench/grow_index.py SMALL LARGE COUNT

The large one has the small one's model, width and type of rows; its rows are random, of length 1. Needs numpy.
"""
import json
import struct
import sys

import numpy

ROWS = 50000  # at a time


def random_rows(count, width, dtype, generator):
    rows = generator.standard_normal((count, width), dtype=numpy.float32)
    rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
    if dtype == "F32":
        return rows.tobytes()
    return ((rows.view(numpy.uint32) + 0x8000) >> 16).astype(numpy.uint16).tobytes()


def main():
    small, large, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(small, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    dtype, width = header["embeddings"]["dtype"], header["embeddings"]["shape"][1]
    names = b"".join(b"folder/%09d.jpg\0" % i for i in range(count))
    offsets = numpy.arange(count + 1, dtype=numpy.int64) * (len(names) // count)
    element = 4 if dtype == "F32" else 2
    entries, at = {"__metadata__": header["__metadata__"]}, 0
    for name, kind, shape, size in [("embeddings", dtype, [count, width], count * width * element),
                                    ("offsets", "I64", [count + 1], 8 * (count + 1)),
                                    ("stamps", "I64", [count, 3], 24 * count), ("names", "U8", [len(names)], len(names))]:
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.default_rng(0)
    with open(large, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for first in range(0, count, ROWS):
            file.write(random_rows(min(ROWS, count - first), width, dtype, generator))
        file.write(offsets.tobytes() + bytes(24 * count) + names)


main()
