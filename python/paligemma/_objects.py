"""Objects in pictures: boxes, labels, scores and masks, as arrays and as other packages have them."""
from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _header as header
from ._native import Handle, library, pointer_to
from ._picture import Picture


class Detections:
    """Objects found in one picture.

        boxes    [n, 4] float64: x1, y1, x2, y2 in pixels of the picture
        labels   n texts
        scores   [n] float64, 0 to 1; NaN where they are not known
        masks    [n, height, width] bool of the whole picture; None where there are none
        text     the model's answer
        problems what in it could not be read
    """

    def __init__(self, pointer: Any, picture: Picture | None = None):
        handle = Handle(pointer, library.pg_objects_free)
        c = pointer.contents
        items = c.items[:c.count]
        self.picture, self.width, self.height = picture, c.width, c.height
        self.boxes = np.array([item.box[:] for item in items], np.float64).reshape(-1, 4)
        self.labels = [item.label.decode("utf-8") for item in items]
        self.scores = np.array([item.score for item in items], np.float64)
        self.masks = self._place_masks(items) if any(item.mask for item in items) else None
        self.text = ctypes.string_at(c.text, c.text_size).decode("utf-8")
        self.problems = [problem.name.decode() for problem in c.problems[:c.problem_count]]
        handle.close()

    def _place_masks(self, items):
        masks = np.zeros((len(items), self.height, self.width), np.uint8)
        for out, item in zip(masks, items):
            if item.mask:
                library.pg_mask_place(pointer_to(out, ctypes.c_uint8), self.width, self.height, item.mask, item.places)
        return masks.view(bool)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """One dictionary an object: label, score, box, mask."""
        for i, label in enumerate(self.labels):
            yield {"label": label, "score": float(self.scores[i]), "box": self.boxes[i],
                   "mask": None if self.masks is None else self.masks[i]}

    def __getitem__(self, i: int) -> dict[str, Any]:
        return list(self)[i]

    def draw(self) -> Picture:
        """The picture with boxes, masks and labels on it."""
        if self.picture is None:
            raise ValueError("these objects were read out of a text: there is no picture to draw on")
        return self.picture.draw(list(self))

    def _repr_png_(self) -> bytes | None:
        return None if self.picture is None else self.draw()._repr_png_()

    def __repr__(self):
        return f"<paligemma.Detections of {len(self)} objects: {', '.join(self.labels)}>"

    def to_pandas(self) -> Any:
        """A DataFrame: label, score, x1, y1, x2, y2."""
        import pandas
        frame = pandas.DataFrame(self.boxes, columns=["x1", "y1", "x2", "y2"])
        frame.insert(0, "label", self.labels)
        frame.insert(1, "score", self.scores)
        return frame

    def to_supervision(self) -> Any:
        """supervision.Detections; classes are numbered in the order in which their names first come."""
        import supervision
        names = list(dict.fromkeys(self.labels))
        return supervision.Detections(xyxy=self.boxes.astype(np.float32), mask=self.masks,
                                      confidence=self.scores.astype(np.float32),
                                      class_id=np.array([names.index(label) for label in self.labels], int),
                                      data={"class_name": np.array(self.labels)})


def parse(text: str, width: int, height: int) -> Detections:
    """Objects out of an answer's text about a picture of width x height pixels."""
    out, data = ctypes.POINTER(header.pg_objects)(), text.encode("utf-8")
    library.pg_objects_parse(ctypes.byref(out), data, len(data), width, height)
    return Detections(out)
