"""Models with transformers' interface: from_pretrained, generate, forward, save_pretrained.

    from paligemma import AutoProcessor, PaliGemmaForConditionalGeneration

    model = PaliGemmaForConditionalGeneration.from_pretrained("paligemma-3b-mix-224")
    processor = AutoProcessor.from_pretrained("paligemma-3b-mix-224")
    inputs = processor(text="answer en where is the cow?", images=Image.open("cow.jpg"), return_tensors="np")
    print(processor.batch_decode(model.generate(**inputs, max_new_tokens=20), skip_special_tokens=True)[0])

They keep no gradients: training is paligemma.Trainer's. device_map="cuda" or .to("cuda") computes on a GPU, where the
library has been built for them; arrays are the host's all the same.
"""
from __future__ import annotations

import ctypes
import os
import pathlib
import shutil
import tempfile
import weakref
from typing import Any

import numpy as np

from ._configuration import AutoConfig, Config, GemmaConfig, PaliGemmaConfig, SiglipConfig, require_folder
from ._engine import Engine, Request
from ._errors import refuse_unsupported
from ._generation import generate
from ._native import header, library, options, path_bytes
from ._outputs import CausalLMOutput, PaliGemmaCausalLMOutput, SiglipOutput, like
from ._processor import ImageProcessor, read_json
from ._tokenizer import device_of, to_array
from ._types import ArrayLike, PathLike

_DTYPES = {"auto": "auto", "float32": "f32", "bfloat16": "bf16"}
_HARMLESS = {"local_files_only": ..., "low_cpu_mem_usage": ..., "use_safetensors": (True,),
             "attn_implementation": ("eager", "sdpa")}


def _compute_of(dtype):
    """How products are computed for a torch dtype or its name; None: as the weights are stored."""
    name = "auto" if dtype is None else str(dtype).replace("torch.", "")
    if name not in _DTYPES:
        raise NotImplementedError(f"dtype={name!r}, expected one of {', '.join(_DTYPES)}")
    return _DTYPES[name]


class PreTrainedModel:
    """What all models share."""

    config_class, kind = None, None

    def __init__(self, config: Config, seed: int = 0, tokenizer: PathLike | None = None):
        """An untrained model. seed: of its weights. tokenizer: a folder whose tokenizer it gets."""
        if not isinstance(config, self.config_class):
            raise TypeError(f"expected a {self.config_class.__name__}, found {type(config).__name__}")
        scratch = tempfile.mkdtemp(prefix="paligemma-")
        weakref.finalize(self, shutil.rmtree, scratch, True)
        config.save_pretrained(scratch)
        creation = options(header.pg_create_options)
        creation.config, creation.seed = path_bytes(os.path.join(scratch, "config.json")), seed
        if tokenizer is not None:
            creation.tokenizer = path_bytes(tokenizer)
        folder = os.path.join(scratch, "model")
        library.pg_model_create(path_bytes(folder), ctypes.byref(creation))
        self._open(Engine(folder), config)

    def _open(self, engine, config):
        if engine.kind != self.kind:
            raise ValueError(f"{engine.folder}: a model of kind {engine.kind}, expected {self.kind}")
        self.engine, self.config = engine, config
        self.stored_generation = read_json(engine.folder, "generation_config.json")
        text = getattr(config, "text_config", config)
        pad = getattr(config, "pad_token_id", None)
        self.pad_token_id = pad if pad is not None else getattr(text, "pad_token_id", None) or 0

    @classmethod
    def from_pretrained(cls, folder: PathLike, torch_dtype: Any = None, dtype: Any = None, device_map: Any = None,
                        adapter: PathLike | None = None, threads: int = 0, revision: str | None = None,
                        **arguments: Any):
        """Opens a folder in the published layout, or ORG/NAME on the hub. adapter: a LoRA adapter's folder. threads: 0,
        one per physical core. device_map: a device, or {"": device}."""
        refuse_unsupported("from_pretrained", arguments, _HARMLESS)
        folder = require_folder(folder, revision)
        device = device_map.get("") if isinstance(device_map, dict) else device_map
        device = "cpu" if device is None else device_of(device)
        compute = _compute_of(dtype if dtype is not None else torch_dtype)
        model = cls.__new__(cls)
        model._open(Engine(folder, compute, threads, adapter, device=device), cls.config_class.from_pretrained(folder))
        return model

    def save_pretrained(self, folder: PathLike, **arguments: Any) -> None:
        """Writes the model in the published layout, with its tokenizer; an adapter becomes part of the weights."""
        refuse_unsupported("save_pretrained", arguments, {"safe_serialization": (True,)})
        self.engine.save(folder, replace=pathlib.Path(folder).is_dir() and not os.listdir(folder))

    def _pictures(self, pixel_values):
        values, side = to_array(pixel_values), library.pg_model_image_size(self.engine.model)
        if values.ndim != 4 or values.shape[1:] != (3, side, side):
            raise ValueError(f"pixel_values of shape {values.shape}, expected [pictures, 3, {side}, {side}]")
        return ImageProcessor(self.engine.folder).scale.to_pictures(values)

    def num_parameters(self) -> int:
        return self.engine.describe()["parameters"]

    device = property(lambda self: self.engine.device)

    def eval(self):
        return self

    def to(self, *targets, device=None, dtype=None):
        """Opens the model on another device. A dtype changes nothing: the arithmetic is chosen in from_pretrained."""
        for target in (*targets, device):
            if target is not None and type(target).__name__ != "dtype" and device_of(target) != self.device:
                old = self.engine
                self.engine = Engine(old.folder, old.compute, old.threads, old.adapter, device=device_of(target))
        return self

    def cpu(self):
        return self.to("cpu")

    def cuda(self, device=None):
        return self.to("cuda" if device is None else device)

    def train(self, mode=True):
        if mode:
            raise NotImplementedError("models of this package keep no gradients; paligemma.Trainer trains")
        return self

    def __call__(self, *arguments, **named):
        return self.forward(*arguments, **named)

    def __repr__(self):
        return f"<paligemma.{type(self).__name__} {self.engine.folder}>"


class _Decoder(PreTrainedModel):
    """Models that write."""

    output_class = CausalLMOutput

    def generate(self, input_ids: ArrayLike = None, attention_mask: ArrayLike = None, **arguments: Any) -> Any:
        """[rows, prompt + answer] ids: prompts as they were given, answers, padding. Of transformers' arguments:
        max_new_tokens, max_length, min_new_tokens, do_sample, temperature, top_k, top_p, min_p, repetition_penalty,
        no_repeat_ngram_size, num_beams, num_return_sequences, length_penalty, early_stopping, stop_strings, streamer,
        generation_config, return_dict_in_generate, output_logits; and seed."""
        if attention_mask is None and input_ids is not None:
            attention_mask = self._mask_of_padding(input_ids, arguments.get("pad_token_id"))
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        for name in ("pixel_values", "token_type_ids", "labels"):
            if arguments.get(name) is not None:
                batch[name] = arguments.pop(name)
        batch.pop("labels", None)
        batch.pop("token_type_ids", None)  # of a prompt all ids are of one type
        return generate(self, batch, {name: value for name, value in arguments.items() if value is not None})

    def _mask_of_padding(self, input_ids, pad):
        """As transformers' generate() does where no mask is given: padding is what has its id, unless it is <eos>."""
        pad = self.pad_token_id if pad is None else pad
        ends = self.stored_generation.get("eos_token_id", getattr(self.config, "eos_token_id", None))
        rows = _rows_of(input_ids)
        mask = rows != pad
        return None if pad in np.atleast_1d(ends if ends is not None else -1) or mask.all() else mask

    def forward(self, input_ids: ArrayLike = None, attention_mask: ArrayLike = None, labels: ArrayLike = None,
                output_hidden_states: bool | None = None, return_dict: bool | None = None, **arguments: Any) -> Any:
        """logits [rows, tokens, vocabulary]; with labels (-100: none) their mean loss. Rows that are padding are 0."""
        batch = {name: arguments.pop(name) for name in ("pixel_values", "token_type_ids") if name in arguments}
        refuse_unsupported("forward", arguments, {"use_cache": ..., "return_dict": (True,), "logits_to_keep": (0,)})
        if labels is None:
            batch.pop("token_type_ids", None)
        rows, requests = self.requests_of(input_ids, attention_mask, **batch)
        mask = _mask_of(attention_mask, rows)
        wanted = _wanted(output_hidden_states)
        traces = [self.engine.trace(request, wanted) for request in requests]
        logits = _spread([trace["logits"] for trace in traces], mask)
        output = self.output_class(logits=like(input_ids, logits))
        if labels is not None:
            output["loss"] = like(input_ids, _loss(logits, to_array(labels), mask))
        if output_hidden_states:
            names = _hidden_names(traces[0])
            output["hidden_states"] = tuple(like(input_ids, _spread([t[name] for t in traces], mask)) for name in names)
        if "features" in traces[0]:
            features = np.concatenate([_by_picture(trace["features"], request) for trace, request in
                                       zip(traces, requests)])
            output["image_hidden_states"] = like(input_ids, features)
        return output if return_dict is not False else output.to_tuple()


def _mask_of(attention_mask, rows):
    if attention_mask is None:
        return np.ones(rows.shape, bool)
    mask = to_array(attention_mask).astype(bool)
    if mask.shape != rows.shape:
        raise ValueError(f"attention_mask of shape {mask.shape}, expected that of input_ids, {rows.shape}")
    return mask


def _rows_of(input_ids):
    """[rows, tokens]"""
    if input_ids is None:
        raise ValueError("input_ids are missing; a processor makes them")
    lengths = {len(row) for row in input_ids} if isinstance(input_ids, (list, tuple)) else set()
    if len(lengths) > 1:
        raise ValueError("input_ids: the rows have different lengths; padding=True fills them up")
    rows = to_array(input_ids, np.int64)
    if rows.ndim != 2:
        raise ValueError(f"input_ids of shape {rows.shape}, expected [rows, tokens]")
    return rows


def _wanted(hidden_states):
    names = {"logits", "features"} | ({"text.input", "text.norm"} if hidden_states else set())
    return lambda name: name in names or bool(hidden_states) and name.startswith("text.layer.")


def _hidden_names(trace):
    """transformers' order: the embeddings, each layer's output, of the last one behind the norm."""
    layers = sum(name.startswith("text.layer.") for name in trace)
    return ["text.input", *(f"text.layer.{i}" for i in range(layers - 1)), "text.norm"]


def _spread(parts, mask):
    """Rows of tokens at their places among the padding: [rows, tokens, width]."""
    out = np.zeros((*mask.shape, parts[0].shape[-1]), np.float32)
    for row, part, kept in zip(out, parts, mask):
        row[kept] = part
    return out


def _by_picture(features, request):
    return features.reshape(len(request.images), -1, features.shape[-1])


def _loss(logits, labels, mask):
    """Mean over labels of minus their log-probability, each predicted by the token before it."""
    if labels.shape != mask.shape:
        raise ValueError(f"labels of shape {labels.shape}, expected that of input_ids, {mask.shape}")
    scored = (labels[:, 1:] != -100) & mask[:, 1:]
    if not scored.any():
        return np.float32("nan")
    rows, right = logits[:, :-1][scored].astype(np.float64), labels[:, 1:][scored]
    largest = rows.max(axis=1, keepdims=True)
    total = np.log(np.exp(rows - largest).sum(axis=1)) + largest[:, 0]
    return np.array((total - rows[np.arange(len(rows)), right]).mean(), np.float32)


class PaliGemmaForConditionalGeneration(_Decoder):
    """Pictures and prompts in, text out."""

    config_class, kind, output_class = PaliGemmaConfig, "paligemma", PaliGemmaCausalLMOutput

    def requests_of(self, input_ids, attention_mask=None, pixel_values=None, token_type_ids=None):
        """(rows [rows, tokens], a request for each)."""
        rows = _rows_of(input_ids)
        mask = _mask_of(attention_mask, rows)
        pictures = [] if pixel_values is None else self._pictures(pixel_values)
        types = None if token_type_ids is None else to_array(token_type_ids)
        tokens, requests = library.pg_model_image_tokens(self.engine.model), []
        for i, (row, kept) in enumerate(zip(rows, mask)):
            ids = row[kept]
            count = int((ids == self.config.image_token_index).sum()) // tokens
            answer = 0 if types is None else int((types[i][kept] == 1).sum())
            requests.append(Request(pictures[:count], ids=ids, answer_ids=answer))
            pictures = pictures[count:]
        if pictures:
            raise ValueError(f"pixel_values have {len(pictures)} pictures more than input_ids have places for")
        return rows, requests


class GemmaForCausalLM(_Decoder):
    """Text in, text out."""

    config_class, kind = GemmaConfig, "gemma"

    def requests_of(self, input_ids, attention_mask=None, **arguments):
        refuse_unsupported("GemmaForCausalLM", arguments)
        rows = _rows_of(input_ids)
        mask = _mask_of(attention_mask, rows)
        return rows, [Request(ids=row[kept]) for row, kept in zip(rows, mask)]


class SiglipModel(PreTrainedModel):
    """Pictures and texts in, embeddings out."""

    config_class, kind = SiglipConfig, "siglip"

    def get_image_features(self, pixel_values: ArrayLike, **arguments: Any) -> Any:
        """[pictures, width], not normalised."""
        refuse_unsupported("get_image_features", arguments)
        found = self.engine.trace(Request(self._pictures(pixel_values)), lambda name: name == "features")
        return like(pixel_values, found["features"])

    def get_text_features(self, input_ids: ArrayLike, attention_mask: ArrayLike = None, **arguments: Any) -> Any:
        """[texts, width], not normalised. Texts are filled up with padding, as the model learned them."""
        refuse_unsupported("get_text_features", arguments)
        rows = _rows_of(input_ids)
        if not _mask_of(attention_mask, rows).all():
            raise NotImplementedError("get_text_features: an attention_mask with zeros; SigLIP learned to read padding")
        found = [self.engine.trace(Request(ids=row), lambda name: name == "words.features") for row in rows]
        return like(input_ids, np.concatenate([each["words.features"] for each in found]))

    def forward(self, input_ids: ArrayLike = None, pixel_values: ArrayLike = None, attention_mask: ArrayLike = None,
                return_dict: bool | None = None, **arguments: Any) -> Any:
        """logits_per_image [pictures, texts], whose sigmoid is the probability that they belong together."""
        refuse_unsupported("forward", arguments)
        images = _normalised(to_array(self.get_image_features(pixel_values)))
        texts = _normalised(to_array(self.get_text_features(input_ids, attention_mask)))
        scale, bias = self.engine.logit_scale()
        logits = images @ texts.T * np.float32(scale) + np.float32(bias)
        output = SiglipOutput(logits_per_image=like(pixel_values, logits), logits_per_text=like(pixel_values, logits.T),
                              text_embeds=like(input_ids, texts), image_embeds=like(pixel_values, images))
        return output if return_dict is not False else output.to_tuple()


def _normalised(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class AutoModel:
    """The model of whatever kind is in a folder."""

    @staticmethod
    def from_pretrained(folder, revision=None, **arguments):
        folder = require_folder(folder, revision)
        kinds = {kind.config_class: kind for kind in (PaliGemmaForConditionalGeneration, GemmaForCausalLM, SiglipModel)}
        return kinds[type(AutoConfig.from_pretrained(folder))].from_pretrained(folder, **arguments)


AutoModelForCausalLM = AutoModelForImageTextToText = AutoModelForVision2Seq = AutoModel
