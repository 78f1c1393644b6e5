"""config.json as objects, with transformers' names and defaults."""
from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from ._native import library, path_bytes, take_path
from ._types import PathLike

_CLASSES = {}


def find_folder(name, revision=None):
    """A folder as it is; of ORG/NAME on the hub its snapshot in the cache, fetched where it is not there. revision: a
    branch, tag or commit of the hub's; folders have none."""
    name = path_bytes(name)
    if revision is not None and library.pg_hub_is_name(name):
        name = b"hub:" + name.removeprefix(b"hub:") + b"@" + os.fsencode(revision)
    return pathlib.Path(take_path(library.pg_hub_find, name, None))


def require_folder(name, revision=None):
    """The same, a model's folder, which must be there."""
    path = find_folder(name, revision)
    if not path.is_dir():
        raise FileNotFoundError(f"{name}: no such folder")
    return path


class Config:
    """A configuration: attributes, of which those that are not given have transformers' defaults. Keys that are not
    known are kept, so that what is read is written again."""

    model_type = ""
    defaults = {}

    def __init_subclass__(cls):
        _CLASSES[cls.model_type] = cls

    def __init__(self, **values: Any):
        values.pop("model_type", None)
        for name, value in {**self.defaults, **values}.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        values = {name: value.to_dict() if isinstance(value, Config) else value for name, value in vars(self).items()}
        return {**values, "model_type": self.model_type}

    @classmethod
    def from_dict(cls, values):
        return cls(**values)

    @classmethod
    def from_pretrained(cls, folder: PathLike, revision: str | None = None):
        """Reads FOLDER/config.json, or the file."""
        path = pathlib.Path(os.fspath(folder))
        path = path if path.suffix == ".json" else require_folder(folder, revision) / "config.json"
        values = json.loads(path.read_text("utf-8"))
        kind = values.get("model_type")
        if cls.model_type and kind != cls.model_type:
            raise ValueError(f"{path}: \"model_type\" is {kind!r}, expected {cls.model_type!r}")
        return cls.from_dict(values)

    def save_pretrained(self, folder: PathLike) -> None:
        folder = pathlib.Path(os.fspath(folder))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n", "utf-8")

    def __eq__(self, other):
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    def __repr__(self):
        return f"{type(self).__name__} {json.dumps(self.to_dict(), indent=2, sort_keys=True)}"


class GemmaConfig(Config):
    model_type = "gemma"
    defaults = dict(vocab_size=256000, hidden_size=3072, intermediate_size=24576, num_hidden_layers=28,
                    num_attention_heads=16, num_key_value_heads=16, head_dim=256, hidden_act="gelu_pytorch_tanh",
                    hidden_activation=None, max_position_embeddings=8192, initializer_range=0.02, rms_norm_eps=1e-6,
                    use_cache=True, pad_token_id=0, eos_token_id=1, bos_token_id=2, tie_word_embeddings=True,
                    rope_theta=10000.0, attention_bias=False, attention_dropout=0.0)


class SiglipVisionConfig(Config):
    model_type = "siglip_vision_model"
    defaults = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                    num_channels=3, image_size=224, patch_size=16, hidden_act="gelu_pytorch_tanh",
                    layer_norm_eps=1e-6, attention_dropout=0.0)


class SiglipTextConfig(Config):
    model_type = "siglip_text_model"
    defaults = dict(vocab_size=32000, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                    num_attention_heads=12, max_position_embeddings=64, hidden_act="gelu_pytorch_tanh",
                    layer_norm_eps=1e-6, attention_dropout=0.0, pad_token_id=1, bos_token_id=49406,
                    eos_token_id=49407)

    def __init__(self, projection_size=None, **values):
        super().__init__(**values)
        self.projection_size = projection_size if projection_size is not None else self.hidden_size


def _part(kind, given, defaults=None):
    """A part of a configuration: an object, a dictionary, or what is usual."""
    if isinstance(given, Config):
        return given
    return kind(**(given if given is not None else defaults or {}))


class SiglipConfig(Config):
    model_type = "siglip"
    defaults = dict(initializer_factor=1.0)

    def __init__(self, text_config=None, vision_config=None, **values):
        super().__init__(**values)
        self.text_config = _part(SiglipTextConfig, text_config)
        self.vision_config = _part(SiglipVisionConfig, vision_config)


class PaliGemmaConfig(Config):
    model_type = "paligemma"
    defaults = dict(image_token_index=256000, projection_dim=2048, hidden_size=2048)

    def __init__(self, vision_config=None, text_config=None, vocab_size=257152, **values):
        super().__init__(**values)
        self.vision_config = _part(SiglipVisionConfig, vision_config,
                                   dict(intermediate_size=4096, hidden_size=1152, patch_size=14, image_size=224,
                                        num_hidden_layers=27, num_attention_heads=16, vision_use_head=False))
        self.text_config = _part(GemmaConfig, text_config,
                                 dict(hidden_size=2048, num_hidden_layers=18, intermediate_size=16384,
                                      num_attention_heads=8, num_key_value_heads=1, vocab_size=vocab_size))
        vision = self.vision_config
        self.text_config.num_image_tokens = (vision.image_size // vision.patch_size) ** 2
        vision.projection_dim = self.projection_dim


class AutoConfig:
    """The configuration of whatever model is in a folder."""

    @classmethod
    def from_pretrained(cls, folder: PathLike, revision: str | None = None):
        folder = require_folder(folder, revision)
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
        if kind not in ("paligemma", "gemma", "siglip"):
            raise NotImplementedError(f"{folder}: \"model_type\" is {kind!r}, expected paligemma, gemma or siglip")
        return _CLASSES[kind].from_pretrained(folder)
