"""Tokenizers with transformers' interface, and the dictionaries of arrays that they and processors give."""
from __future__ import annotations

import ctypes
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from . import _header as header
from ._configuration import require_folder
from ._errors import refuse_unsupported
from ._native import Handle, library, make, path_bytes, pointer_to, view
from ._types import ArrayLike, PathLike

# What from_pretrained may be told about a folder without effect: it is read as it is.
HARMLESS = {"local_files_only": ..., "use_fast": ...}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "tokenizer_config.json",
                   "special_tokens_map.json", "added_tokens.json", "preprocessor_config.json",
                   "processor_config.json")


class BatchFeature(dict):
    """A dictionary whose entries are attributes as well."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data(self):
        return dict(self)

    def to(self, *targets, device=None, dtype=None):
        """Moves nothing: models on a GPU take arrays of the host. Torch tensors of floats get a dtype that is named."""
        for target in (*targets, device, dtype):
            if target is None:
                continue
            if type(target).__name__ != "dtype":
                device_of(target)
                continue
            for name, value in self.items():
                if hasattr(value, "is_floating_point") and value.is_floating_point():
                    self[name] = value.to(target)
        return self


BatchEncoding = BatchFeature


def device_of(device):
    """"cpu", "cuda" or "cuda:N" of what torch calls devices; "auto" is a GPU where there is one."""
    name = f"cuda:{device}" if isinstance(device, int) else str(device)
    if name == "auto":
        return "cuda" if b"cuda:" in library.pg_devices() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise NotImplementedError(f"device {name!r}: this package computes on \"cpu\" and \"cuda\"")
    return name


def as_tensors(data, kind):
    """Arrays as `return_tensors` names them: "np", "pt", or lists for None."""
    if kind is None:
        return BatchFeature(data)
    if kind not in ("np", "pt"):
        raise NotImplementedError(f"return_tensors={kind!r}, expected \"np\" or \"pt\"")
    arrays = {}
    for name, value in data.items():
        if isinstance(value, list) and len({len(row) for row in value}) > 1:
            raise ValueError(f"{name}: the rows have different lengths; padding=True fills them up")
        arrays[name] = value if isinstance(value, np.ndarray) else np.array(value, np.int64)
    if kind == "pt":
        import torch
        arrays = {name: torch.from_numpy(value) for name, value in arrays.items()}
    return BatchFeature(arrays)


def to_array(value, dtype=None):
    """An array of what users pass: arrays, torch tensors (bfloat16 too) or lists."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
    return np.asarray(value, dtype)


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        self._handle = make(header.pg_tokenizer, library.pg_tokenizer_open, library.pg_tokenizer_close,
                            path_bytes(folder))
        path = pathlib.Path(self.folder) / "tokenizer_config.json"
        self._settings = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        self._siglip = (pathlib.Path(self.folder) / "spiece.model").is_file()
        self.padding_side = self._settings.get("padding_side", "right" if self._siglip else "left")
        self.model_max_length = min(self._settings.get("model_max_length") or 10 ** 9, 64 if self._siglip else 10 ** 9)

    @classmethod
    def from_pretrained(cls, folder: PathLike, revision: str | None = None, padding_side: str | None = None,
                        **arguments: Any) -> Tokenizer:
        refuse_unsupported("from_pretrained", arguments, HARMLESS)
        tokenizer = cls(require_folder(folder, revision))
        if padding_side is not None:
            tokenizer.padding_side = side_named(padding_side)
        return tokenizer

    def save_pretrained(self, folder):
        """Copies the files of the tokenizer and the processor."""
        os.makedirs(folder, exist_ok=True)
        for name in TOKENIZER_FILES:
            source = pathlib.Path(self.folder) / name
            if source.is_file():
                shutil.copyfile(source, pathlib.Path(folder) / name)

    # ---------------------------------------------------------------- ids

    def convert_tokens_to_ids(self, tokens):
        if isinstance(tokens, str):
            found = library.pg_tokenizer_id(self._handle, tokens.encode("utf-8"))
            return found if found >= 0 else self.unk_token_id
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids):
        if np.ndim(ids) == 0:
            piece = library.pg_tokenizer_piece(self._handle, int(ids))
            return None if piece is None else piece.decode("utf-8")
        return [self.convert_ids_to_tokens(i) for i in ids]

    def _special(self, name, usual):
        piece = self._settings.get(name, usual)
        return piece["content"] if isinstance(piece, dict) else piece

    @property
    def bos_token(self):
        return self._special("bos_token", None if self._siglip else "<bos>")

    @property
    def eos_token(self):
        return self._special("eos_token", "</s>" if self._siglip else "<eos>")

    @property
    def pad_token(self):
        return self._special("pad_token", "</s>" if self._siglip else "<pad>")

    @property
    def unk_token(self):
        return self._special("unk_token", "<unk>")

    def _id_of(self, piece):
        found = -1 if piece is None else library.pg_tokenizer_id(self._handle, piece.encode("utf-8"))
        return found if found >= 0 else None

    bos_token_id = property(lambda self: self._id_of(self.bos_token))
    eos_token_id = property(lambda self: self._id_of(self.eos_token))
    pad_token_id = property(lambda self: self._id_of(self.pad_token))
    unk_token_id = property(lambda self: self._id_of(self.unk_token))
    vocab_size = property(lambda self: library.pg_tokenizer_size(self._handle))

    def __len__(self):
        return self.vocab_size

    # ---------------------------------------------------------------- encode

    def ids_of(self, text, flags=header.PG_ENCODE_SPECIAL):
        """[n] int32. Control tokens spelled out in the text count, as in transformers."""
        data, out, count = text.encode("utf-8"), ctypes.POINTER(ctypes.c_int32)(), ctypes.c_size_t()
        library.pg_tokenizer_encode(ctypes.byref(out), ctypes.byref(count), self._handle, data, len(data), flags)
        return view(out, (count.value,), np.int32, Handle(out, library.pg_free))

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return self._row(text, add_special_tokens).tolist()

    def _row(self, text, add_special_tokens):
        flags = header.PG_ENCODE_SPECIAL
        if add_special_tokens:
            flags |= header.PG_ENCODE_EOS if self._siglip else header.PG_ENCODE_BOS
        return self.ids_of(text, flags)

    def tokenize(self, text):
        return self.convert_ids_to_tokens(self.ids_of(text))

    def __call__(self, text, add_special_tokens=True, padding=False, max_length=None, truncation=None,
                 return_tensors=None, padding_side=None, return_attention_mask=None, **arguments):
        refuse_unsupported("tokenizer", arguments)
        one = isinstance(text, str)
        rows = [self._row(each, add_special_tokens) for each in ([text] if one else text)]
        if truncation:
            rows = [self._cut(row, max_length or self.model_max_length) for row in rows]
        data = self.pad_rows(rows, {}, padding, max_length, padding_side)
        if self._siglip and not return_attention_mask:
            del data["attention_mask"]
        if one and return_tensors is None:
            data = {name: value[0] for name, value in data.items()}
        return as_tensors(data, return_tensors)

    def _cut(self, row, longest):
        """SigLIP's texts end with </s>, also when they are cut."""
        if len(row) <= longest:
            return row
        return np.append(row[:longest - 1], row[-1:]) if self._siglip else row[:longest]

    def pad_rows(self, rows, others, padding, max_length=None, padding_side=None):
        """input_ids, attention_mask and `others` ({name: (rows, filler)}) as lists, filled up as transformers names it:
        True or "longest", "max_length", False."""
        if padding not in (True, False, None, "longest", "max_length", "do_not_pad"):
            raise ValueError(f"padding={padding!r}")
        width = None
        if padding in (True, "longest"):
            width = max(map(len, rows), default=0)
        elif padding == "max_length":
            width = max_length or self.model_max_length
        left = side_named(padding_side or self.padding_side) == "left"
        filled = {"input_ids": (rows, self.pad_token_id or 0),
                  "attention_mask": ([np.ones(len(row), np.int64) for row in rows], 0), **others}
        return {name: [_fill(row, width, filler, left) for row in values] for name, (values, filler) in filled.items()}

    # ---------------------------------------------------------------- decode

    def decode(self, ids: ArrayLike, skip_special_tokens: bool = False,
               clean_up_tokenization_spaces: bool | None = None, **arguments: Any) -> str:
        """The text of ids. clean_up_tokenization_spaces changes nothing for these vocabularies."""
        refuse_unsupported("decode", arguments)
        row = np.ascontiguousarray(to_array(ids), np.int32).reshape(-1)
        out = ctypes.c_char_p()
        library.pg_tokenizer_decode(ctypes.byref(out), self._handle, pointer_to(row, ctypes.c_int32), len(row),
                                    skip_special_tokens)
        try:
            return out.value.decode("utf-8")
        finally:
            library.pg_free(out)

    def batch_decode(self, sequences: ArrayLike, skip_special_tokens: bool = False, **arguments: Any) -> list[str]:
        return [self.decode(row, skip_special_tokens, **arguments) for row in sequences]


def side_named(name):
    if name not in ("left", "right"):
        raise ValueError(f"padding_side={name!r}, expected \"left\" or \"right\"")
    return name


def _fill(row, width, filler, left):
    row = [int(i) for i in row]
    more = [filler] * max(0, (width or 0) - len(row))
    return more + row if left else row + more
