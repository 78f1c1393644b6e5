"""Pictures: 8-bit RGB, whatever they come from."""
from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _header as header
from ._native import empty, encode, library, make, options, path_bytes, pointer_to, take_bytes, view
from ._types import ArrayLike, ImageLike, PathLike


class Picture:
    """A picture of the library: immutable, RGB. `np.asarray(picture)` is [height, width, 3] without a copy; notebooks
    show it.

        Picture("cow.jpg")   a file: JPEG, PNG, WebP, GIF, BMP, PPM, TIFF; turned as its EXIF orientation says
        Picture(data)        the bytes of such a file
        Picture(image)       a PIL image, as convert("RGB") makes it
        Picture(array)       uint8, or floats from 0 to 1: [h, w], [h, w, 3 or 4] or [3, h, w]; also torch tensors
    """

    def __init__(self, source: ImageLike, keep_orientation: bool = False):
        self._handle = _handle_of(source, keep_orientation)
        self._as_parameter_ = self._handle._as_parameter_

    @property
    def width(self) -> int:
        return library.pg_image_width(self)

    @property
    def height(self) -> int:
        return library.pg_image_height(self)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as PIL has it."""
        return self.width, self.height

    @property
    def __array_interface__(self):
        return self.pixels.__array_interface__

    @property
    def pixels(self) -> np.ndarray:
        """[height, width, 3] uint8, read-only, not copied."""
        return view(library.pg_image_pixels(self), (self.height, self.width, 3), np.uint8, self._handle)

    def resize(self, width: int, height: int) -> Picture:
        """Pillow's bicubic resize, bit for bit. The aspect ratio is not kept."""
        return _made(library.pg_image_resize, self, width, height, header.PG_RESIZE_PILLOW13)

    def draw(self, marks: Sequence[Mapping[str, Any]]) -> Picture:
        """A copy with marks on it: dictionaries with "label", "score", "box" (x1, y1, x2, y2 in pixels) and "mask"
        ([height, width], inside where not 0), all of which may be missing."""
        array, keep = (header.pg_mark * max(len(marks), 1))(), []
        for place, mark in zip(array, marks):
            _fill_mark(place, mark, self, keep)
        return _made(library.pg_image_draw_marks, self, array, len(marks), None)

    def draw_heat(self, values: ArrayLike, caption: str | None = None) -> Picture:
        """A copy with a heat map over it: values [rows, columns]."""
        values = np.ascontiguousarray(values, np.float32)
        rows, columns = values.shape
        return _made(library.pg_image_draw_heat, self, pointer_to(values, ctypes.c_float), columns, rows,
                     None if caption is None else encode(caption), None)

    def save(self, path: PathLike) -> None:
        """Writes a .png or .jpg file."""
        library.pg_image_save(self, path_bytes(path))

    def to_pil(self):
        from PIL import Image
        return Image.fromarray(np.array(self.pixels))

    def _repr_png_(self) -> bytes:
        return take_bytes(library.pg_image_encode_png, self)

    def __repr__(self):
        return f"<paligemma.Picture {self.width}x{self.height}>"

    def __reduce__(self):
        return Picture, (np.array(self.pixels),)


def _made(function, *arguments):
    picture = Picture.__new__(Picture)
    picture._handle = make(header.pg_image, function, library.pg_image_free, *arguments)
    picture._as_parameter_ = picture._handle._as_parameter_
    return picture


def _fill_mark(place, mark, picture, keep):
    """`keep` gets what the mark points into."""
    if mark.get("label") is not None:
        place.label = encode(mark["label"])
    place.score = float("nan") if mark.get("score") is None else mark["score"]
    if mark.get("box") is not None:
        box = (ctypes.c_double * 4)(*mark["box"])
        keep.append(box)
        place.box = box
    if mark.get("mask") is not None:
        mask = np.ascontiguousarray(mark["mask"], np.uint8)
        if mask.shape != (picture.height, picture.width):
            raise ValueError(f"a mask of shape {mask.shape}, expected {(picture.height, picture.width)}")
        keep.append(mask)
        place.mask = pointer_to(mask, ctypes.c_uint8)


# ---------------------------------------------------------------- what pictures come from


def pictures_of(images):
    """A list of pictures out of one or several."""
    return [as_picture(image) for image in (images if isinstance(images, (list, tuple)) else [images])]


def as_picture(source):
    return source if isinstance(source, Picture) else Picture(source)


def is_picture(source):
    """Whether something is one picture, not a text or a list of them."""
    return isinstance(source, Picture) or _is_pil(source) or getattr(source, "ndim", 0) in (2, 3)


def _is_pil(source):
    return hasattr(source, "convert") and hasattr(source, "mode")


def _handle_of(source, keep_orientation):
    reading = options(header.pg_image_options)
    reading.keep_orientation = keep_orientation
    if isinstance(source, (str, os.PathLike)):
        return _load(source, reading)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return make(header.pg_image, library.pg_image_decode, library.pg_image_free, data, len(data), b"picture",
                    ctypes.byref(reading))
    return _from_array(_pixels_of(source))


def _load(path, reading):
    if str(path).startswith(("http://", "https://")):
        raise NotImplementedError(f"{path}: pictures are not downloaded; give a file, its bytes or a PIL image")
    return make(header.pg_image, library.pg_image_load, library.pg_image_free, path_bytes(path), ctypes.byref(reading))


def _from_array(pixels):
    height, width, _ = pixels.shape
    return make(header.pg_image, library.pg_image_new, library.pg_image_free, pointer_to(pixels, ctypes.c_uint8), width,
                height, 0)


def _pixels_of(source):
    """[height, width, 3] uint8, contiguous."""
    if _is_pil(source):
        return np.ascontiguousarray(np.asarray(source.convert("RGB")))
    if hasattr(source, "detach"):
        source = source.detach().cpu()
    array = np.asarray(source)
    if array.dtype == object or array.ndim not in (2, 3):
        raise TypeError(f"expected a picture: a file, bytes, a PIL image or an array, found {type(source).__name__}")
    if array.ndim == 3 and array.shape[-1] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[-1] not in (1, 3, 4):
        raise ValueError(f"a picture of shape {array.shape}, expected [h, w], [h, w, 3 or 4] or [3, h, w]")
    array = _bytes_of(array)
    return np.ascontiguousarray(np.broadcast_to(array, array.shape[:2] + (3,)) if array.shape[-1] == 1
                                else array[:, :, :3])


def _bytes_of(array):
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise TypeError(f"a picture of {array.dtype}, expected uint8, or floats from 0 to 1")
    if not (np.min(array, initial=0) >= 0 and np.max(array, initial=0) <= 1):
        raise ValueError("a picture of floats outside of 0 to 1; pixels from 0 to 255 are uint8")
    return np.rint(array * 255).astype(np.uint8)


# ---------------------------------------------------------------- as models take them


class PixelScale:
    """From bytes to what a model takes, (byte * rescale - mean) / deviation, and back."""

    def __init__(self, rescale, mean, deviation):
        levels = np.arange(256, dtype=np.float64)[None] * rescale
        shifted = levels.astype(np.float32) - np.asarray(mean, np.float32)[:, None]
        self.values = shifted / np.asarray(deviation, np.float32)[:, None]  # [3, 256]

    def to_floats(self, pictures, side):
        """[count, 3, side, side] float32 of pictures, resized."""
        out = empty((len(pictures), 3, side, side), np.float32)
        for row, picture in zip(out, pictures):
            pixels = picture.resize(side, side).pixels
            for channel in range(3):
                row[channel] = self.values[channel][pixels[:, :, channel]]
        return out

    def to_pictures(self, values):
        """The pictures that `to_floats` made these of, also after rounding to 16 bits; other values are an error."""
        values = np.asarray(values, np.float32)
        out = np.empty((len(values), *values.shape[2:], 3), np.uint8)
        for channel, levels in enumerate(self.values):
            step = levels[1] - levels[0]
            bytes_ = np.clip(np.rint((values[:, channel] - levels[0]) / step), 0, 255).astype(np.uint8)
            if not (np.abs(levels[bytes_] - values[:, channel]) <= 0.3 * step).all():
                raise ValueError("pixel_values that are no 8-bit picture's; a processor of this package, or of "
                                 "transformers, makes them")
            out[..., channel] = bytes_
        return [Picture(pixels) for pixels in out]
