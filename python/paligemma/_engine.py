"""An open model and its session: what both interfaces of the package stand on. Requests in, answers and arrays out."""
from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import queue
import threading
import weakref

import numpy as np

from . import _header as header
from ._configuration import find_folder
from ._native import (Guard, Handle, empty, encode, library, make, options, path_bytes, pointer_to, strings, take_text,
                      view)

COMPUTE = {"auto": header.PG_COMPUTE_AUTO, "f32": header.PG_COMPUTE_F32, "bf16": header.PG_COMPUTE_BF16,
           "int8": header.PG_COMPUTE_INT8}
STYLES = {"task": header.PG_PROMPT_TASK, "text": header.PG_PROMPT_TEXT, "chat": header.PG_PROMPT_CHAT}
KINDS = {header.PG_MODEL_PALIGEMMA: "paligemma", header.PG_MODEL_GEMMA: "gemma", header.PG_MODEL_SIGLIP: "siglip"}
TOGETHER = 8  # requests that run at the same time, each with a cache of its own
TRACED = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}

# What a request is told about decoding, as the header names it.
DECODING = {"max_new_tokens", "max_length", "min_new_tokens", "temperature", "top_k", "top_p", "min_p", "seed",
            "repetition_penalty", "no_repeat_ngram", "beams", "beams_returned", "length_penalty", "early_stopping",
            "speculate", "top_logits"}


@dataclasses.dataclass
class Request:
    """One question: pictures, and a prompt as text or as token ids."""
    images: list = dataclasses.field(default_factory=list)
    prompt: str = ""
    style: str = "task"
    special: bool = False
    ids: np.ndarray | None = None  # in place of the prompt
    answer_ids: int = 0  # the last so many begin an answer
    stop: tuple = ()
    decoding: dict = dataclasses.field(default_factory=dict)

    def fill(self, place, keep):
        """Writes itself into a pg_request; `keep` gets what that points into."""
        if self.style not in STYLES:
            raise ValueError(f"style={self.style!r}, expected one of {', '.join(STYLES)}")
        library.pg_request_init(ctypes.byref(place))
        images = (ctypes.POINTER(header.pg_image) * len(self.images))(*(i._as_parameter_ for i in self.images))
        keep += [images, self.images]
        place.images, place.image_count = images, len(self.images)
        place.prompt, place.style, place.special = encode(self.prompt), STYLES[self.style], self.special
        if self.ids is not None:
            ids = np.ascontiguousarray(self.ids, np.int32)
            keep.append(ids)
            place.ids, place.id_count, place.answer_ids = pointer_to(ids, ctypes.c_int32), len(ids), self.answer_ids
        if self.stop:
            stop = strings(self.stop)
            keep.append(stop)
            place.stop, place.stop_count = stop, len(self.stop)
        for name, value in self.decoding.items():
            if name not in DECODING:
                raise TypeError(f"{name} is no way of decoding; there are {', '.join(sorted(DECODING))}")
            if value is not None:
                setattr(place, name, value)


@dataclasses.dataclass
class Beam:
    text: str
    tokens: np.ndarray
    score: float


class Answer:
    """What a model answered. `str(answer)` is the text; arrays are the library's memory, not copies."""

    def __init__(self, pointer):
        self._handle = Handle(pointer, library.pg_answer_free)
        c = self._c = pointer.contents
        self.text = ctypes.string_at(c.text, c.text_size).decode("utf-8")
        self.finish = library.pg_finish_name(c.finish).decode()
        self.prompt_tokens = c.prompt_tokens

    @property
    def tokens(self) -> np.ndarray:
        """[n] int32, <eos> included if it came."""
        return view(self._c.tokens, (self._c.count,), np.int32, self._handle)

    @property
    def logprobs(self) -> np.ndarray | None:
        """[n] float32, of each token under the model's own distribution; None with beams."""
        return view(self._c.logprobs, (self._c.count,), np.float32, self._handle) if self._c.logprobs else None

    @property
    def beams(self) -> list[Beam]:
        """All answers of a beam search, best first."""
        return [Beam(b.text.decode("utf-8"), view(b.tokens, (b.count,), np.int32, self._handle), b.score)
                for b in self._c.beams[:self._c.beam_count]]

    @property
    def timings(self) -> dict[str, float]:
        """Seconds: pictures, prefill, first_token, decode."""
        return {name: getattr(self._c.timings, name) for name, _ in header.pg_timings._fields_}

    def __str__(self):
        return self.text

    def __repr__(self):
        return f"<paligemma.Answer {self.text!r}>"


# ---------------------------------------------------------------- models and sessions

_engines = weakref.WeakSet()


def _start_anew():
    """In a forked child nobody holds what a thread of the parent held; a session that was in use is worth nothing."""
    for engine in _engines:
        if engine.lock.locked():
            engine._session, engine._sequences = None, 0
        engine.lock, engine._owner = threading.Lock(), None


os.register_at_fork(after_in_child=_start_anew)


class Engine:
    """A model folder, open, and the session that answers for it. Threads take turns; forked processes may use it."""

    def __init__(self, folder, compute="auto", threads=0, adapter=None, keep=(), device="cpu"):
        if compute not in COMPUTE:
            raise ValueError(f"compute={compute!r}, expected one of {', '.join(COMPUTE)}")
        self.folder, self.compute, self.threads = os.fspath(folder), compute, threads
        self.adapter, self.device = None if adapter is None else find_folder(adapter), device
        opening = options(header.pg_model_options)
        opening.device = encode(device)
        if adapter is not None:
            opening.adapter = path_bytes(self.adapter)
        self.model = make(header.pg_model, library.pg_model_open_with, library.pg_model_close, path_bytes(folder),
                          ctypes.byref(opening), keep=keep)
        self.kind = KINDS[library.pg_model_get_kind(self.model)]
        self.lock, self._owner = threading.Lock(), None
        self._session, self._sequences = None, 0
        _engines.add(self)

    @contextlib.contextmanager
    def session(self, sequences=1):
        """The session, for this thread alone, with room for as many sequences."""
        if self._owner == threading.get_ident():
            raise RuntimeError("a callback cannot ask the model that calls it")
        with self.lock:
            self._owner = threading.get_ident()
            try:
                if sequences > self._sequences:
                    self._make_session(sequences)
                yield self._session
            finally:
                self._owner = None

    def _make_session(self, sequences):
        self._session, self._sequences = None, 0  # its memory goes before there is new
        wanted = options(header.pg_session_options)
        wanted.threads, wanted.compute, wanted.sequences = self.threads, COMPUTE[self.compute], sequences
        self._session = make(header.pg_session, library.pg_session_new, library.pg_session_free, self.model,
                             ctypes.byref(wanted), keep=(self.model,))
        self._sequences = sequences

    def describe(self):
        """What `paligemma inspect` prints, as a dictionary."""
        return json.loads(take_text(library.pg_model_describe, self.model))

    def generate(self, requests, on_text=None, on_step=None):
        """Answers to requests. on_text(index, text) sees text as it is made and may return False to end that answer;
        on_step(index, step) sees a pg_step. Beams do not go with either."""
        if not requests:
            return []
        array, keep = (header.pg_request * len(requests))(), []
        answers = (ctypes.POINTER(header.pg_answer) * len(requests))()
        rows = min(len(requests), TOGETHER)
        with Guard() as guard:
            for place, request in zip(array, requests):
                request.fill(place, keep)
                library.pg_request_complete(ctypes.byref(place), self.model)
                rows = max(rows, place.beams)
                if place.beams <= 1:
                    _watch(place, guard, on_text, on_step)
            with self.session(rows) as session:
                library.pg_generate(answers, session, array, len(requests))
            made = [Answer(answer) for answer in answers]
        return made

    def stream(self, request):
        """The text of one answer, piece by piece as it is made."""
        pieces, ended = queue.SimpleQueue(), threading.Event()

        def on_text(_, text):
            pieces.put(text)
            return not ended.is_set()

        def run():
            try:
                self.generate([request], on_text=on_text)
                pieces.put(None)
            except BaseException as error:
                pieces.put(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            ended.set()  # who stops listening needs no more of it
            thread.join()

    def score(self, request, texts):
        """[(logprob, probability, tokens)] of texts as whole answers to the request."""
        place, keep, out = header.pg_request(), [], (header.pg_text_score * len(texts))()
        request.fill(place, keep)
        with self.session() as session:
            library.pg_score_texts(out, session, ctypes.byref(place), strings(texts), len(texts))
        return [(score.logprob, score.probability, score.tokens) for score in out]

    def trace(self, request, wanted=lambda name: True):
        """Intermediates of one forward pass, by name, copied: those whose name is wanted."""
        place, keep, found = header.pg_request(), [], {}
        request.fill(place, keep)

        def take(_, traced):
            array = traced.contents
            name = array.name.decode()
            if wanted(name):
                shape, dtype = array.shape[:array.dimensions], TRACED[array.dtype.decode()]
                found[name] = empty(shape, dtype)
                ctypes.memmove(found[name].ctypes.data, array.data, found[name].nbytes)
            return header.PG_OK

        with Guard() as guard, self.session() as session:
            callback = guard.wrap(header.pg_trace_callback, take, header.PG_ERROR_CANCELLED)
            library.pg_trace(session, ctypes.byref(place), callback, None)
        return found

    def embed_images(self, pictures):
        """SigLIP: [n, width] float32, rows of length 1."""
        array = (ctypes.POINTER(header.pg_image) * len(pictures))(*(p._as_parameter_ for p in pictures))
        return self._embed(library.pg_embed_images, array, len(pictures))

    def embed_texts(self, texts):
        return self._embed(library.pg_embed_texts, strings(texts), len(texts))

    def _embed(self, function, items, count):
        out = empty((count, library.pg_model_embedding_size(self.model)), np.float32)
        if count:
            with self.session() as session:
                function(pointer_to(out, ctypes.c_float), session, items, count)
        return out

    def logit_scale(self):
        """SigLIP: the probability that picture and text belong together is sigmoid(cosine * scale + bias)."""
        scale, bias = ctypes.c_float(), ctypes.c_float()
        library.pg_model_logit_scale(ctypes.byref(scale), ctypes.byref(bias), self.model)
        return scale.value, bias.value

    def save(self, folder, dtype=None, replace=False, mix=None, share=0.5):
        """Writes the model in the published layout; an adapter becomes part of the weights, as does a share of `mix`,
        another Engine."""
        saving = options(header.pg_save_options)
        saving.share = share
        if mix is not None:
            saving.mix = mix.model._as_parameter_
        saving.dtype, saving.replace = None if dtype is None else dtype.encode(), replace
        library.pg_model_save(path_bytes(folder), self.model, ctypes.byref(saving))


def _watch(place, guard, on_text, on_step):
    """Callbacks of a request. Text is always listened to, so that Ctrl-C has a place to end the call."""

    def text(_, index, data, size):
        return on_text is None or on_text(index, ctypes.string_at(data, size).decode("utf-8")) is not False

    place.on_text = guard.wrap(header.pg_text_callback, text, False)
    if on_step is not None:
        place.on_step = guard.wrap(header.pg_step_callback, lambda _, index, step: on_step(index, step.contents), None)
