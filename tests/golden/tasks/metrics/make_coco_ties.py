"""Writes coco_ties_{gt,det,segm,expected}.json beside itself: what pycocotools makes of objects on a coarse grid, so that
scores and overlaps are equal often and lie on thresholds, of crowds, and of more finds a picture than count.

    python make_coco_ties.py [SEED [FOLDER]]      (numpy, pycocotools)
"""
import contextlib
import io
import json
import pathlib
import sys

import numpy
from pycocotools import mask as runs
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ["AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge", "AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"]
WIDTH, HEIGHT, GRID = 240, 200, 10
CATEGORIES = [7, 2, 5, 9]  # 9 is never there


def box(r, large):
    w, h = (int(v) for v in r.integers(1, 21 if large else 6, 2))
    x, y = int(r.integers(0, WIDTH // GRID - w + 1)), int(r.integers(0, max(HEIGHT // GRID - h, 0) + 1))
    return [x * GRID, y * GRID, w * GRID, min(h * GRID, HEIGHT - y * GRID)]


def corners(b):
    x, y, w, h = b
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def compressed(polygons):
    object = runs.merge(runs.frPyObjects(polygons, HEIGHT, WIDTH))
    return {"size": [HEIGHT, WIDTH], "counts": object["counts"].decode()}


def truth(r):
    images = [{"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT} for i in (31, 4, 17, 8, 90)]
    annotations = []
    for image in images[:-1]:  # the last one has none
        for _ in range(int(r.integers(2, 9))):
            b, crowd = box(r, r.random() < 0.4), int(r.random() < 0.2)
            polygon = corners(b)
            if r.random() < 0.5:  # a triangle
                polygon = polygon[:6]
            mask = compressed([polygon])
            annotations.append({
                "id": len(annotations) + 1, "image_id": image["id"], "category_id": int(r.choice(CATEGORIES[:3])), "bbox": b,
                "area": float(runs.area(mask)), "iscrowd": crowd, "segmentation": mask if crowd else [polygon]})
    categories = [{"id": c, "name": f"thing {c}"} for c in CATEGORIES]
    return {"images": images, "categories": categories, "annotations": annotations}


def find(r, gt):
    if r.random() < 0.5:
        near = gt["annotations"][int(r.integers(len(gt["annotations"])))]
        b = [max(v + int(d) * GRID, GRID) for v, d in zip(near["bbox"], r.integers(-1, 2, 4))]
        return near["image_id"], near["category_id"], b
    return int(r.choice([i["id"] for i in gt["images"]])), int(r.choice(CATEGORIES)), box(r, r.random() < 0.4)


def found(r, gt, count):
    boxes, masks = [], []
    for i in range(count):
        image, category, b = find(r, gt)
        if i % 3 == 0:
            image, category = gt["annotations"][0]["image_id"], gt["annotations"][0]["category_id"]
        score = int(r.integers(0, 9)) / 8
        boxes.append({"image_id": image, "category_id": category, "bbox": b, "score": score})
        polygon = corners(b)[: 6 if r.random() < 0.5 else 8]
        masks.append({"image_id": image, "category_id": category, "segmentation": compressed([polygon]), "score": score})
    return boxes, masks


def measure(gt, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = gt
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    out = {name: float(value) for name, value in zip(NAMES, evaluation.stats)}
    precision = evaluation.eval["precision"]
    each = {}
    for k, category in enumerate(evaluation.params.catIds):
        p = precision[:, :, k, 0, 2]
        each[str(category)] = float(p[p > -1].mean()) if (p > -1).any() else -1.0
    out["AP_per_category"] = each
    return out


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).parent
    r = numpy.random.default_rng(seed)
    gt = truth(r)
    boxes, masks = found(r, gt, 400)
    expected = {"bbox": measure(json.loads(json.dumps(gt)), json.loads(json.dumps(boxes)), "bbox"),
                "segm": measure(json.loads(json.dumps(gt)), json.loads(json.dumps(masks)), "segm")}
    for name, document in (("gt", gt), ("det", boxes), ("segm", masks), ("expected", expected)):
        (folder / f"coco_ties_{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


main()
