"""The plain interface: a model, and a method for each thing that it does.

    m = paligemma.load("paligemma-3b-mix-224")
    m.caption("cow.jpg")
    m.ask("cow.jpg", "where is the cow?")
    m.detect("cow.jpg", "cow").boxes
    for piece in m.stream("cow.jpg", "describe en"):
        print(piece, end="", flush=True)
"""
from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import _header as header
from ._configuration import require_folder
from ._engine import TOGETHER, Answer, Engine, Request
from ._native import library, make, options, path_bytes, pointer_to, strings, take_path
from ._objects import Detections
from ._picture import pictures_of
from ._types import ImagesLike, PathLike

_KINDS = {"paligemma": header.PG_MODEL_PALIGEMMA, "siglip": header.PG_MODEL_SIGLIP}


def load(folder: PathLike | None = None, kind: str = "paligemma", adapter: PathLike | None = None,
         compute: str = "auto", threads: int = 0, codec: PathLike | None = None, device: str | None = None) -> Model:
    """Opens a model: a folder in the published layout, or ORG/NAME on the hub.

    folder   None: $PALIGEMMA_MODEL, else the small model that ships, of `kind` ("paligemma" or "siglip")
    adapter  folder of a LoRA adapter in PEFT's layout, or ORG/NAME on the hub
    compute  "auto", "f32", "bf16", "int8": how products are computed
    threads  0: one per physical core
    codec    the mask codec (vae-oid.npz) for segmentation; None: mask_codec.npz or vae-oid.npz in the model's folder
    device   "cpu", "cuda" or "cuda:N": where the weights are and where is computed; None: $PALIGEMMA_DEVICE, else "cpu"
    """
    device = device or os.environ.get("PALIGEMMA_DEVICE") or "cpu"
    if folder is None:
        folder = os.environ.get("PALIGEMMA_MODEL") if kind == "paligemma" else None
    if folder is None:
        if kind not in _KINDS:
            raise ValueError(f"kind={kind!r}, expected one of {', '.join(_KINDS)}")
        folder = take_path(library.pg_default_model, _KINDS[kind])
    return Model(Engine(require_folder(folder), compute, threads, adapter, device=device), codec)


def _list_of(texts):
    return [texts] if isinstance(texts, str) else list(texts)


def _one_or_all(images, results):
    """A list for a list, one result for one picture."""
    return results if isinstance(images, (list, tuple)) else results[0]


class Model:
    """An open model. Immutable; threads take turns, forked processes may use it. Wherever a picture is taken, a list of
    pictures gives a list of results, which are made together. Decoding can be told max_new_tokens, temperature, top_k,
    top_p, min_p, seed, repetition_penalty, no_repeat_ngram, beams, stop and more (the fields of pg_request)."""

    def __init__(self, engine, codec=None):
        self.engine = engine
        self._codec_path, self._codec = codec, None

    @property
    def kind(self) -> str:
        """"paligemma", "gemma" or "siglip"."""
        return self.engine.kind

    @property
    def folder(self) -> str:
        return self.engine.folder

    def describe(self) -> dict[str, Any]:
        """Architecture, shapes, parameters, dtypes, files, as a dictionary."""
        return self.engine.describe()

    def __repr__(self):
        return f"<paligemma.Model {self.kind} {self.folder}>"

    # ---------------------------------------------------------------- answers

    def generate(self, prompt: str, images: ImagesLike = (), style: str = "task", special: bool = False,
                 stop: str | Sequence[str] = (), **decoding: Any) -> Answer:
        """The Answer to any prompt about some pictures (or none). style: "task" as PaliGemma's prompts are, "text" to
        be continued, "chat" for one turn of Gemma's. special: <eos>, <image> and the like in the prompt count."""
        return self.engine.generate([self._request(prompt, images, style, special, stop, decoding)])[0]

    def stream(self, images: ImagesLike, prompt: str | None = None, style: str = "task", special: bool = False,
               stop: str | Sequence[str] = (), **decoding: Any) -> Iterator[str]:
        """The same answer as pieces of text, as they are made; stream(picture, prompt), or stream(prompt) without one.
        Who stops listening ends the answer."""
        if prompt is None:
            images, prompt = (), images
        return self.engine.stream(self._request(prompt, images, style, special, stop, decoding))

    @staticmethod
    def _request(prompt, images, style, special, stop, decoding):
        images = [] if images is None else images
        stop = (stop,) if isinstance(stop, str) else tuple(stop)
        return Request(pictures_of(images), prompt, style, special, stop=stop, decoding=decoding)

    def _ask_each(self, images, prompt, decoding):
        requests = [Request([picture], prompt, decoding=decoding) for picture in pictures_of(images)]
        return _one_or_all(images, [answer.text for answer in self.engine.generate(requests)])

    def caption(self, image: ImagesLike, lang: str = "en", **decoding: Any) -> Any:
        """A line of text that describes the picture."""
        return self._ask_each(image, f"caption {lang}", decoding)

    def ask(self, image: ImagesLike, question: str, lang: str = "en", **decoding: Any) -> Any:
        """The answer to a question about the picture."""
        return self._ask_each(image, f"answer {lang} {question}", decoding)

    def ocr(self, image: ImagesLike, **decoding: Any) -> Any:
        """What is written in the picture."""
        return self._ask_each(image, "ocr", decoding)

    def choose(self, image: ImagesLike | None, prompt: str, texts: str | Sequence[str]) -> Any:
        """How likely each text is as the whole answer, if one of them is: {text: probability}, likeliest first. image:
        None where the prompt is about none."""
        texts = _list_of(texts)
        if image is None:
            return self._choose([], prompt, texts)
        return _one_or_all(image, [self._choose([picture], prompt, texts) for picture in pictures_of(image)])

    def _choose(self, pictures, prompt, texts):
        scores = self.engine.score(Request(pictures, prompt), texts)
        pairs = zip(texts, (probability for _, probability, _ in scores))
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    # ---------------------------------------------------------------- objects

    def detect(self, image: ImagesLike, labels: str | Sequence[str], threshold: float = 0.0, max_objects: int = 0,
               free: bool = False) -> Any:
        """Detections of what is looked for: a label, or a list of them. Objects that score less than the threshold are
        left out. free: the model may answer anything, and what can be read out of it is taken."""
        return self._find(image, labels, threshold, max_objects, free, header.PG_MASKS_NONE)

    def segment(self, image: ImagesLike, labels: str | Sequence[str], threshold: float = 0.0, max_objects: int = 0,
                free: bool = False) -> Any:
        """The same, with masks."""
        return self._find(image, labels, threshold, max_objects, free, header.PG_MASKS_ALWAYS)

    def _find(self, images, labels, threshold, max_objects, free, masks):
        labels = _list_of(labels)
        wanted, pictures = options(header.pg_detect_options), pictures_of(images)
        if not pictures:
            return []
        wanted.labels, wanted.label_count = strings(labels), len(labels)
        wanted.threshold, wanted.max_objects, wanted.free, wanted.masks = threshold, max_objects, free, masks
        if masks:
            wanted.codec = self._mask_codec()._as_parameter_
        array = (ctypes.POINTER(header.pg_image) * len(pictures))(*(p._as_parameter_ for p in pictures))
        out = (ctypes.POINTER(header.pg_objects) * len(pictures))()
        with self.engine.session(min(len(pictures), TOGETHER)) as session:
            library.pg_detect(out, session, array, len(pictures), ctypes.byref(wanted))
        return _one_or_all(images, [Detections(objects, picture) for objects, picture in zip(out, pictures)])

    def _mask_codec(self):
        if self._codec is None:
            path = self._codec_path or take_path(library.pg_mask_codec_find, path_bytes(self.folder))
            if path is None:
                raise ValueError(f"{self.folder}: no mask codec; load(..., codec=FILE) names the one (vae-oid.npz) whose "
                                 "codes the model answers with")
            self._codec = make(header.pg_mask_codec, library.pg_mask_codec_open, library.pg_mask_codec_close,
                               path_bytes(path))
        return self._codec

    # ---------------------------------------------------------------- recognition

    def classify(self, image: ImagesLike, labels: str | Sequence[str], templates: str | Sequence[str] = (),
                 prompt: str = "caption en") -> Any:
        """{label: probability}, likeliest first. SigLIP compares the picture with the labels, each in the place of "{}"
        in the templates ("a photo of a {}"), and each has its own probability; PaliGemma says how likely each label is
        as the answer to the prompt, and they sum to 1."""
        if self.kind == "siglip":
            return self._recognize(image, _list_of(labels), _list_of(templates))
        return self.choose(image, prompt, labels)

    def _recognize(self, images, labels, templates):
        pictures, count = pictures_of(images), len(labels)
        if not pictures:
            return []
        logits = np.empty((len(pictures), count), np.float32)
        array = (ctypes.POINTER(header.pg_image) * len(pictures))(*(p._as_parameter_ for p in pictures))
        with self.engine.session() as session:
            recognizer = make(header.pg_recognizer, library.pg_recognizer_new, library.pg_recognizer_free, session,
                              strings(labels), count, strings(templates), len(templates))
            library.pg_recognize(pointer_to(logits, ctypes.c_float), session, recognizer, array, len(pictures))
        scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
        order = np.argsort(-scores, axis=1, kind="stable")
        return _one_or_all(images, [{labels[i]: float(row[i]) for i in best} for row, best in zip(scores, order)])

    def embed(self, images: ImagesLike = None, texts: str | Sequence[str] | None = None) -> np.ndarray:
        """SigLIP: embeddings of length 1, float32: [width] of one picture or text, [n, width] of a list. Give images or
        texts. The arrays are the memory that the library wrote into; torch.from_numpy and DLPack share it."""
        if (images is None) == (texts is None):
            raise TypeError("embed(images=...) or embed(texts=...)")
        if texts is None:
            return _one_or_all(images, self.engine.embed_images(pictures_of(images)))
        rows = self.engine.embed_texts(_list_of(texts))
        return rows[0] if isinstance(texts, str) else rows

    # ---------------------------------------------------------------- insight

    def trace(self, prompt: str = "", images: ImagesLike = (),
              names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Intermediates of one forward pass: {"features", "text.layer.0", ..., "logits"}, all of them or those named.
        MODEL.md says what each is."""
        wanted = (lambda name: True) if names is None else set(names).__contains__
        found = self.engine.trace(self._request(prompt, images, "task", False, (), {}), wanted)
        missing = set(names or ()) - set(found)
        if missing:
            raise KeyError(f"nothing is called {', '.join(sorted(missing))}; trace() without names gives all")
        return found

    def hidden_states(self, prompt: str, images: ImagesLike = ()) -> np.ndarray:
        """[layers + 1, tokens, width]: what goes into the decoder's first layer, and what comes out of each."""
        found = self.trace(prompt, images)
        layers = sum(name.startswith("text.layer.") for name in found)
        return np.stack([found["text.input"], *(found[f"text.layer.{i}"] for i in range(layers))])

    def save(self, folder: PathLike, dtype: str | None = None, replace: bool = False, mix: Model | None = None,
             share: float = 0.5) -> None:
        """Writes the model in the published layout, an adapter merged.

        dtype       "F32", "BF16", "F16"; None: as stored
        mix, share  a model with the same weights: each becomes (1 - share) of this model's + share of the other's
        """
        self.engine.save(folder, dtype, replace, mix and mix.engine, share)
