"""What models return, with transformers' names: dictionaries whose entries are attributes; None stands for what is not
there. Arrays are torch's where the inputs were, without a copy."""
import numpy as np


class ModelOutput(dict):
    """Entries by name or by number. What is not there is None as an attribute and does not exist as an entry."""

    fields = ()

    def __init__(self, **entries):
        super().__init__({name: value for name, value in entries.items() if value is not None})

    def __getattr__(self, name):
        if name in self.fields:
            return self.get(name)
        raise AttributeError(f"{type(self).__name__} has no {name}; there are {', '.join(self.fields)}")

    def __getitem__(self, key):
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def to_tuple(self):
        return tuple(self[name] for name in self.fields if name in self)


class CausalLMOutput(ModelOutput):
    fields = ("loss", "logits", "past_key_values", "hidden_states", "attentions")


class PaliGemmaCausalLMOutput(ModelOutput):
    fields = (*CausalLMOutput.fields, "image_hidden_states")


class SiglipOutput(ModelOutput):
    fields = ("loss", "logits_per_image", "logits_per_text", "text_embeds", "image_embeds")


class GenerateOutput(ModelOutput):
    fields = ("sequences", "sequences_scores", "logits")


def like(given, array):
    """The array as what the caller gave: a torch tensor for tensors, which shares its memory."""
    if not hasattr(given, "detach"):
        return array
    import torch
    return torch.from_numpy(array) if isinstance(array, np.ndarray) else torch.tensor(array)
