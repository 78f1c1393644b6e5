#!/usr/bin/env python3
"""Writes masks.jsonl: polygons and runs, and the mask that pycocotools makes of each, as run lengths down the columns.

    python3 make_masks.py >masks.jsonl        (pycocotools 2.0.11, numpy)

Half of the polygons have corners outside the picture, some are degenerate; the random ones follow from the seed.
"""
import json

import numpy
from pycocotools import mask


def runs_of(bitmap):
    flat = bitmap.flatten(order="F")
    edges = numpy.flatnonzero(numpy.diff(flat)) + 1
    runs = numpy.diff(numpy.concatenate([[0], edges, [flat.size]])).tolist()
    return ([0] if flat[0] else []) + runs


def write(height, width, segmentation):
    encoded = segmentation
    if isinstance(segmentation, list):
        encoded = mask.merge(mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = mask.frPyObjects(segmentation, height, width)
    bitmap = mask.decode(encoded)
    print(json.dumps({"height": height, "width": width, "segmentation": segmentation, "runs": runs_of(bitmap)},
                     separators=(",", ":")))
    return bitmap


def compressed(bitmap):
    encoded = mask.encode(numpy.asfortranarray(bitmap))
    return {"size": list(bitmap.shape), "counts": encoded["counts"].decode()}


def main():
    random = numpy.random.default_rng(5)
    write(10, 12, [[2, 2, 8, 2, 8, 7, 2, 7]])
    write(10, 12, [[2.5, 2.5, 8.5, 2.5, 8.5, 7.5, 2.5, 7.5]])
    write(10, 12, [[0, 0, 12, 0, 12, 10, 0, 10]])
    write(10, 12, [[1, 1, 4, 1, 4, 4], [3, 3, 9, 3, 9, 9, 3, 9]])
    write(10, 12, [[3, 3, 3, 3, 3, 3]])
    write(10, 12, [[1, 5, 11, 5, 1, 5]])
    write(10, 12, [[4, -3, 20, 5, 4, 14]])
    for _ in range(60):
        height, width, corners = random.integers(1, 60), random.integers(1, 60), random.integers(3, 12)
        spread = random.choice([1.0, 1.6])
        points = (random.random((corners, 2)) - 0.5) * spread * [width, height] + [width / 2, height / 2]
        digits = int(random.integers(0, 4))
        bitmap = write(int(height), int(width), [numpy.round(points, digits).flatten().tolist()])
        write(int(height), int(width), compressed(bitmap))
        write(int(height), int(width), {"size": [int(height), int(width)], "counts": runs_of(bitmap)})
    noise = (random.random((40, 30)) < 0.5).astype(numpy.uint8)
    write(40, 30, compressed(noise))
    write(300, 400, compressed(numpy.ones((300, 400), numpy.uint8)))
    write(300, 400, compressed(numpy.zeros((300, 400), numpy.uint8)))


if __name__ == "__main__":
    main()
