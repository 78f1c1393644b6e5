"""PaliGemma's and SigLIP's processors: pictures and texts to what models take, with transformers' interface."""
from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import numpy as np

from ._configuration import require_folder
from ._errors import refuse_unsupported
from ._picture import PixelScale, is_picture, pictures_of
from ._tokenizer import HARMLESS, BatchFeature, Tokenizer, as_tensors, side_named
from ._types import ArrayLike, ImagesLike

IMAGE_TOKEN = "<image>"
_PICTURE_HARMLESS = {"do_convert_rgb": ..., "do_resize": (True,), "do_rescale": (True,), "do_normalize": (True,)}
_TEXT_HARMLESS = {"add_special_tokens": (True,), "return_attention_mask": (True,), **_PICTURE_HARMLESS}


def read_json(folder, name):
    path = pathlib.Path(os.fspath(folder)) / name
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


class ImageProcessor:
    """Pictures to pixel_values [count, 3, side, side]: bicubic resize as Pillow does it, then (x - mean) / std."""

    def __init__(self, folder):
        settings, config = read_json(folder, "preprocessor_config.json"), read_json(folder, "config.json")
        vision = config.get("vision_config", {})
        size = settings.get("size", {"height": vision.get("image_size", 224)})
        self.side = size["height"] if isinstance(size, dict) else size
        self.image_mean = settings.get("image_mean", [0.5] * 3)
        self.image_std = settings.get("image_std", [0.5] * 3)
        self.rescale_factor = settings.get("rescale_factor", 1 / 255)
        patches = (self.side // vision.get("patch_size", 14)) ** 2
        self.image_seq_length = settings.get("image_seq_length", patches)
        self.scale = PixelScale(self.rescale_factor, self.image_mean, self.image_std)

    @classmethod
    def from_pretrained(cls, folder, revision=None, **arguments):
        refuse_unsupported("from_pretrained", arguments, HARMLESS)
        return cls(require_folder(folder, revision))

    @property
    def size(self):
        return {"height": self.side, "width": self.side}

    def __call__(self, images, return_tensors=None, **arguments):
        refuse_unsupported("image_processor", arguments, _PICTURE_HARMLESS)
        values = self.scale.to_floats(pictures_of(images), self.side)
        return as_tensors({"pixel_values": values}, return_tensors)


class _Processor:
    def __init__(self, folder):
        folder = require_folder(folder)
        self.tokenizer, self.image_processor = Tokenizer(folder), ImageProcessor(folder)
        self.image_seq_length = self.image_processor.image_seq_length

    @classmethod
    def from_pretrained(cls, folder, revision=None, padding_side=None, **arguments):
        refuse_unsupported("from_pretrained", arguments, HARMLESS)
        processor = cls(require_folder(folder, revision))
        if padding_side is not None:
            processor.tokenizer.padding_side = side_named(padding_side)
        return processor

    def save_pretrained(self, folder):
        self.tokenizer.save_pretrained(folder)

    def decode(self, ids: ArrayLike, **arguments: Any) -> str:
        return self.tokenizer.decode(ids, **arguments)

    def batch_decode(self, sequences: ArrayLike, **arguments: Any) -> list[str]:
        return self.tokenizer.batch_decode(sequences, **arguments)


class PaliGemmaProcessor(_Processor):
    """processor(text=, images=, suffix=, padding=, return_tensors=) -> input_ids, attention_mask, pixel_values, and
    with `suffix`, the answers to train on, token_type_ids and labels."""

    def __init__(self, folder):
        super().__init__(folder)
        folder = self.tokenizer.folder
        named = self.tokenizer._id_of(IMAGE_TOKEN)
        self.image_token_id = named if named is not None else read_json(folder, "config.json").get("image_token_index")
        if self.image_token_id is None:
            raise ValueError(f"{folder}: neither the tokenizer has {IMAGE_TOKEN} nor config.json an image_token_index")

    def __call__(self, images: ImagesLike = None, text: str | list[str] | None = None,
                 suffix: str | list[str] | None = None, padding: bool | str = False, max_length: int | None = None,
                 return_tensors: str | None = None, truncation: bool | None = None, **arguments: Any) -> BatchFeature:
        refuse_unsupported("processor", {"truncation": truncation, **arguments},
                           {**_TEXT_HARMLESS, "add_special_tokens": ...})  # prompts are made here, whole
        if text is not None and not _is_text(text):
            images, text = text, images  # the order of earlier versions
        if images is None:
            raise ValueError("the processor needs images; a text alone goes to processor.tokenizer")
        texts = [""] if text is None else [text] if isinstance(text, str) else list(text)
        groups = _groups_of(images, texts)
        prompts = [self._prompt_ids(each, len(group)) for each, group in zip(texts, groups)]
        data = self._rows(prompts, suffix, padding, max_length)
        pictures = pictures_of([image for group in groups for image in group])
        data["pixel_values"] = self.image_processor.scale.to_floats(pictures, self.image_processor.side)
        return as_tensors(data, return_tensors)

    def _prompt_ids(self, text, images):
        """Image tokens, <bos>, the text, a newline; "<image>" in a text stands for a picture's tokens there."""
        tokenizer, place = self.tokenizer, np.full(self.image_seq_length, self.image_token_id, np.int32)
        *before, last = text.split(IMAGE_TOKEN)
        if before and len(before) != images:
            raise ValueError(f"the text has {len(before)} {IMAGE_TOKEN}, and there are {images} images for it")
        parts = [part for piece in before for part in (tokenizer.ids_of(piece), place)] or [place] * images
        return np.concatenate([*parts, [tokenizer.bos_token_id], tokenizer.ids_of(last + "\n")])

    def _rows(self, prompts, suffix, padding, max_length):
        if suffix is None:
            return self.tokenizer.pad_rows(prompts, {}, padding, max_length)
        suffixes = [suffix] if isinstance(suffix, str) else list(suffix)
        if len(suffixes) != len(prompts):
            raise ValueError(f"{len(suffixes)} suffixes for {len(prompts)} texts")
        answers = [self.tokenizer.ids_of(each + self.tokenizer.eos_token) for each in suffixes]
        rows = [np.concatenate([prompt, answer]) for prompt, answer in zip(prompts, answers)]
        kinds = [np.repeat([0, 1], [len(prompt), len(answer)]) for prompt, answer in zip(prompts, answers)]
        labels = [np.where(kind == 1, row, -100) for row, kind in zip(rows, kinds)]
        return self.tokenizer.pad_rows(rows, {"token_type_ids": (kinds, 0), "labels": (labels, -100)}, padding,
                                       max_length)


class SiglipProcessor(_Processor):
    """processor(text=, images=, padding="max_length", return_tensors=) -> input_ids, pixel_values."""

    def __call__(self, text: str | list[str] | None = None, images: ImagesLike = None, padding: bool | str = False,
                 truncation: bool | None = None, max_length: int | None = None, return_tensors: str | None = None,
                 **arguments: Any) -> BatchFeature:
        refuse_unsupported("processor", arguments, _TEXT_HARMLESS)
        if text is not None and not _is_text(text):
            images, text = text, images
        if text is None and images is None:
            raise ValueError("the processor needs text, images or both")
        data = BatchFeature()
        if text is not None:
            data.update(self.tokenizer([text] if isinstance(text, str) else text, padding=padding,
                                       truncation=truncation, max_length=max_length, return_tensors=return_tensors))
        if images is not None:
            data.update(self.image_processor(images, return_tensors=return_tensors))
        return data


def _is_text(value):
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and len(value) > 0 and
                                      all(isinstance(each, str) for each in value))


def _groups_of(images, texts):
    """The pictures of each text."""
    if getattr(images, "ndim", 0) == 4:
        images = list(images)
    if is_picture(images) or not isinstance(images, (list, tuple)):
        images = [images]
    if len(texts) == 1 and texts[0].count(IMAGE_TOKEN) > 1 and not isinstance(images[0], (list, tuple)):
        images = [images]
    if len(images) != len(texts):
        raise ValueError(f"{len(texts)} texts and {len(images)} images; several images of one text are a list in the "
                         "list of images")
    return [list(group) if isinstance(group, (list, tuple)) else [group] for group in images]


class AutoProcessor:
    """The processor of whatever model is in a folder."""

    @staticmethod
    def from_pretrained(folder, revision=None, **arguments):
        folder = require_folder(folder, revision)
        kind = read_json(folder, "config.json").get("model_type")
        if kind is None:
            named = read_json(folder, "preprocessor_config.json").get("processor_class", "")
            kind = "siglip" if named.startswith("Siglip") else "paligemma"
        kinds = {"paligemma": PaliGemmaProcessor, "siglip": SiglipProcessor, "gemma": Tokenizer}
        if kind not in kinds:
            raise NotImplementedError(f"{folder}: \"model_type\" is {kind!r}, expected {', '.join(kinds)}")
        return kinds[kind].from_pretrained(folder, **arguments)


class AutoTokenizer:
    from_pretrained = staticmethod(Tokenizer.from_pretrained)
