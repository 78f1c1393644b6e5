#!/usr/bin/env python3
"""Writes a checkpoint with random weights in the layout of the published files: for measuring where real weights are not
at hand, since times do not depend on what the weights are.

    make_random_checkpoint.py OUT [--shape paligemma-3b|gemma-2b|gemma-290m|tiny] [--image-size 224]
                              [--dtype bf16|f16|f32] [--tokenizer FOLDER] [--seed 0]

paligemma-3b in bf16 takes 5.9 GB and about a minute; memory stays small. --tokenizer copies tokenizer files from another
model's folder: `paligemma bench` needs none, but answers to real prompts do. Needs numpy.

The scales keep activations finite and make greedy answers depend on what they follow: with an output matrix that is the
embedding table, the last token would win every time if its embedding outweighed what the layers add to it, so
embeddings are small and the final norm is large.
"""
import argparse
import json
import pathlib
import shutil

import numpy as np

SHAPES = {
    "paligemma-3b": {
        "text": {"hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18, "num_attention_heads": 8,
                 "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 257216},
        "vision": {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
                   "patch_size": 14},
        "image_token": 257152,
    },
    "gemma-2b": {
        "text": {"hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18, "num_attention_heads": 8,
                 "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 256000},
    },
    "gemma-290m": {  # with the vocabulary of the model that ships, whose tokenizer it can take: --tokenizer models/world
        "text": {"hidden_size": 1024, "intermediate_size": 5120, "num_hidden_layers": 16, "num_attention_heads": 4,
                 "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 3072},
    },
    "tiny": {
        "text": {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
                 "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 1280},
        "vision": {"hidden_size": 48, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
                   "patch_size": 14},
        "image_token": 1216,
    },
}
TOKENIZER_FILES = ["tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"]
DTYPES = {"bf16": ("BF16", "bfloat16"), "f16": ("F16", "float16"), "f32": ("F32", "float32")}
PIECE = 1 << 22  # values drawn at a time


def text_tensors(text, prefix):
    """(name, shape, mean, deviation) of the decoder's tensors."""
    width, mlp = text["hidden_size"], text["intermediate_size"]
    queries = text["num_attention_heads"] * text["head_dim"]
    keys = text["num_key_value_heads"] * text["head_dim"]
    products = {"self_attn.q_proj": (queries, width), "self_attn.k_proj": (keys, width),
                "self_attn.v_proj": (keys, width), "self_attn.o_proj": (width, queries),
                "mlp.gate_proj": (mlp, width), "mlp.up_proj": (mlp, width), "mlp.down_proj": (width, mlp)}
    yield prefix + "embed_tokens.weight", (text["vocab_size"], width), 0, 0.3 * width ** -0.5
    yield prefix + "norm.weight", (width,), 15, 2
    for layer in range(text["num_hidden_layers"]):
        at = f"{prefix}layers.{layer}."
        for name, shape in products.items():
            yield f"{at}{name}.weight", shape, 0, 1.3 * shape[1] ** -0.5
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}{name}.weight", (width,), 0, 0.2


def vision_tensors(vision, image_size, prefix):
    width, mlp, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    products = {"self_attn.q_proj": (width, width), "self_attn.k_proj": (width, width),
                "self_attn.v_proj": (width, width), "self_attn.out_proj": (width, width),
                "mlp.fc1": (mlp, width), "mlp.fc2": (width, mlp)}
    yield prefix + "embeddings.patch_embedding.weight", (width, 3, patch, patch), 0, (3 * patch * patch) ** -0.5
    yield prefix + "embeddings.patch_embedding.bias", (width,), 0, 0.05
    yield prefix + "embeddings.position_embedding.weight", ((image_size // patch) ** 2, width), 0, 0.3
    for layer in range(vision["num_hidden_layers"]):
        at = f"{prefix}encoder.layers.{layer}."
        for name, shape in products.items():
            yield f"{at}{name}.weight", shape, 0, 1.1 * shape[1] ** -0.5
            yield f"{at}{name}.bias", shape[:1], 0, 0.05
        for name in ("layer_norm1", "layer_norm2"):
            yield f"{at}{name}.weight", (width,), 1, 0.1
            yield f"{at}{name}.bias", (width,), 0, 0.05
    yield prefix + "post_layernorm.weight", (width,), 1, 0.1
    yield prefix + "post_layernorm.bias", (width,), 0, 0.05


def all_tensors(shape, image_size):
    text, vision = shape["text"], shape.get("vision")
    if not vision:
        return list(text_tensors(text, "model."))
    projector = "multi_modal_projector.linear."
    return [*text_tensors(text, "language_model.model."),
            *vision_tensors(vision, image_size, "vision_tower.vision_model."),
            (projector + "weight", (text["hidden_size"], vision["hidden_size"]), 0, vision["hidden_size"] ** -0.5),
            (projector + "bias", (text["hidden_size"],), 0, 0.05)]


def stored(values, dtype):
    """The bytes of f32 values; bf16 rounds to nearest, ties to even."""
    if dtype == "bf16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
    return values.astype("<f2" if dtype == "f16" else "<f4").tobytes()


def write_weights(path, tensors, dtype, seed):
    size = 4 if dtype == "f32" else 2
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _, _ in tensors:
        end = offset + size * int(np.prod(shape))
        header[name] = {"dtype": DTYPES[dtype][0], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4096 - 8)  # tensors start at a page
    rng = np.random.Generator(np.random.SFC64(seed))
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape, mean, deviation in tensors:
            left = int(np.prod(shape))
            while left:
                count = min(left, PIECE)
                values = rng.standard_normal(count, dtype=np.float32) * np.float32(deviation) + np.float32(mean)
                file.write(stored(values, dtype))
                left -= count


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_configs(folder, shape, image_size, dtype):
    common = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "torch_dtype": DTYPES[dtype][1]}
    text = {"model_type": "gemma", "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, **shape["text"]}
    config = {"architectures": ["GemmaForCausalLM"], **text, **common}
    if "vision" in shape:
        patches = (image_size // shape["vision"]["patch_size"]) ** 2
        width = shape["text"]["hidden_size"]
        vision = {"model_type": "siglip_vision_model", "image_size": image_size, "num_image_tokens": patches,
                  "projection_dim": width, "vision_use_head": False, **shape["vision"]}
        config = {"architectures": ["PaliGemmaForConditionalGeneration"], "model_type": "paligemma",
                  "hidden_size": width, "projection_dim": width, "image_token_index": shape["image_token"],
                  "text_config": {**text, "num_image_tokens": patches}, "vision_config": vision, **common}
        write_json(folder / "preprocessor_config.json",
                   {"image_processor_type": "SiglipImageProcessor", "do_resize": True, "resample": 3,
                    "size": {"height": image_size, "width": image_size}, "do_rescale": True,
                    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
                    "image_seq_length": patches, "processor_class": "PaliGemmaProcessor"})
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {key: common[key] for key in common if key.endswith("_id")})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--shape", choices=SHAPES, default="paligemma-3b")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--tokenizer", type=pathlib.Path, help="folder whose tokenizer files are copied")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_configs(arguments.out, shape, arguments.image_size, arguments.dtype)
    for name in TOKENIZER_FILES if arguments.tokenizer else ():
        if (arguments.tokenizer / name).exists():
            shutil.copy(arguments.tokenizer / name, arguments.out / name)
    write_weights(arguments.out / "model.safetensors", all_tensors(shape, arguments.image_size), arguments.dtype,
                  arguments.seed)


if __name__ == "__main__":
    main()
