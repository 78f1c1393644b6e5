#!/usr/bin/env python3
"""LoRA adapters through PEFT and through this program; what they compute must agree.

    python tools/peft_parity.py [--cases 40] [--seed 0] [--only N] [--build build]

Needs torch, transformers, peft and safetensors from PyPI.

Each case draws a model (PaliGemma, Gemma or SigLIP: widths, layers, heads, ranks) and an adapter that PEFT makes and
saves: targets as a list, a pattern or "all-linear", excluded modules, rsLoRA, patterns of ranks and alphas, whole modules
that are replaced, factors in f32 or bf16, key names of transformers since 4.52 or before. Compared, with f32 arithmetic:

    run time    logits (SigLIP: embeddings) of this program with --adapter, within 2e-5 of the largest value
    merged      those of transformers with the model that `paligemma merge` wrote, in f32, sharded, within 1e-4

At the end build/test_adapter writes an adapter of our making, and PEFT's logits with it are compared with ours.
"""
import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (GemmaConfig, GemmaForCausalLM, PaliGemmaConfig, PaliGemmaForConditionalGeneration, SiglipConfig,
                          SiglipModel)

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
RUN_LIMIT, MERGED_LIMIT = 2e-5, 1e-4
DECODER = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOWER = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


def draw_tower(rng):
    heads = rng.choice([1, 2, 3])
    return dict(hidden_size=heads * rng.choice([8, 12, 16]), intermediate_size=rng.choice([24, 40, 56]),
                num_hidden_layers=rng.choice([1, 2, 3]), num_attention_heads=heads)


def draw_decoder(rng):
    kv = rng.choice([1, 2])
    return dict(hidden_size=rng.choice([32, 40, 64]), intermediate_size=rng.choice([48, 80]), num_hidden_layers=rng.choice([1, 2, 3]),
                num_attention_heads=2 * kv, num_key_value_heads=kv, head_dim=rng.choice([8, 16]), vocab_size=1152)


def draw_model(rng, kind):
    picture = dict(image_size=28, patch_size=14)
    if kind == "gemma":
        return GemmaForCausalLM(GemmaConfig(**draw_decoder(rng)))
    if kind == "siglip":
        vision, text = draw_tower(rng), draw_tower(rng)
        text = dict(text, vocab_size=100, max_position_embeddings=8, projection_size=vision["hidden_size"])
        return SiglipModel(SiglipConfig(text_config=text, vision_config=dict(vision, **picture)))
    text = draw_decoder(rng)
    vision = dict(draw_tower(rng), **picture, vision_use_head=False, model_type="siglip_vision_model")
    return PaliGemmaForConditionalGeneration(PaliGemmaConfig(
        vision_config=vision, text_config=dict(text, model_type="gemma"), projection_dim=text["hidden_size"],
        hidden_size=text["hidden_size"], image_token_index=1094))


def draw_adapter(rng, kind):
    names = TOWER if kind == "siglip" else DECODER + (TOWER if kind == "paligemma" else [])
    names = [n for n in dict.fromkeys(names) if n != "out_proj" or kind != "siglip"]  # see pooling head in adapter.c
    chosen = rng.sample(names, rng.randint(1, len(names)))
    part = {"siglip": rng.choice(["text_model", "vision_model.encoder"]), "gemma": "model",
            "paligemma": rng.choice(["language_model", "vision_tower", "model"])}[kind]
    within = [n for n in chosen if n in (TOWER if part in ("vision_tower", "vision_model.encoder", "text_model") else
                                         DECODER if part == "language_model" else names)] or ["q_proj"]
    form = rng.choice(["list", "list", "pattern", "pattern", "all-linear"] if kind != "siglip" else ["list", "pattern"])
    targets = {"list": chosen, "all-linear": "all-linear",
               "pattern": rf".*{re.escape(part)}.*\.({'|'.join(within)})" if rng.random() < 0.7 else
                          rf"^(?:.*?{re.escape(part)}).*layers\.\d+\.\w+\.(?:{'|'.join(within)})$"}[form]
    config = dict(r=rng.choice([1, 2, 4, 7, 8]), lora_alpha=rng.choice([1, 8, 16, 20]), target_modules=targets,
                  use_rslora=rng.random() < 0.3, lora_dropout=rng.choice([0.0, 0.1]))
    if rng.random() < 0.4:
        # sorted as PEFT saves them: where two fit, the first decides, and another order would not read back
        config["rank_pattern"] = dict(sorted({rng.choice(within): 3, "layers.0.self_attn.q_proj": 5}.items()))
    if rng.random() < 0.4:
        config["alpha_pattern"] = {rf".*layers\.[01]\..*{rng.choice(within)}": 3}
    if form != "pattern" and rng.random() < 0.3:
        config["exclude_modules"] = rng.choice([["k_proj"], r".*layers\.1\..*"])
    if kind == "paligemma" and rng.random() < 0.3:
        config["modules_to_save"] = ["multi_modal_projector"]
    if kind == "gemma" and rng.random() < 0.3:
        config["modules_to_save"] = ["norm"]
    return config


def randomise(model, generator):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_" in name:
                p.copy_(torch.randn(p.shape, generator=generator) * (0.15 if "lora_A" in name else 0.1))
            elif "modules_to_save" in name:
                p.add_(torch.randn(p.shape, generator=generator) * 0.05)


def older_names(folder):
    """Keys as transformers before 4.52 would have them."""
    path = folder / "adapter_model.safetensors"
    swap = [("base_model.model.model.language_model.", "base_model.model.language_model.model."),
            ("base_model.model.lm_head.", "base_model.model.language_model.lm_head."), ("base_model.model.model.", "base_model.model.")]
    def rename(key):
        for new, old in swap:
            if key.startswith(new):
                return old + key[len(new):]
        return key
    save_file({rename(k): v for k, v in load_file(path).items()}, path, metadata={"format": "pt"})


def reference(kind, model, pixels, ids):
    with torch.no_grad():
        if kind == "siglip":
            out = model(pixel_values=pixels, input_ids=ids)
            return [out.image_embeds.numpy(), out.text_embeds.numpy()]
        if kind == "gemma":
            return [model(input_ids=ids).logits[0].numpy()]
        types = torch.zeros_like(ids)
        return [model(input_ids=ids, pixel_values=pixels, token_type_ids=types, attention_mask=torch.ones_like(ids)).logits[0].numpy()]


class Program:
    def __init__(self, build, work):
        self.program, self.work = build / "paligemma", work

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")

    def trace(self, kind, model, adapter, picture):
        out = self.work / "trace.safetensors"
        self.run("trace", "-m", model, "--adapter", adapter, "--compute", "f32", "--out", out,
                 *(["--image", picture] if kind != "gemma" else []), *(["-p", "caption en"] if kind != "siglip" else []))
        return {k: v.numpy() for k, v in load_file(out).items()}


def error(got, want):
    got, want = np.asarray(got, np.float64).reshape(-1), np.asarray(want, np.float64).reshape(-1)
    return float("inf") if got.size != want.size else float(np.abs(got - want).max() / np.abs(want).max())


def compare(kind, traced, model):
    """The largest error of what both have, and the reference's values for the same input."""
    pixels = torch.tensor(traced["pixel_values"]).reshape(1, 3, 28, 28) if kind != "gemma" else None
    if kind == "siglip":
        with torch.no_grad():
            want = model.get_image_features(pixel_values=pixels).numpy()
        return error(traced["features"], want), want
    ids = torch.tensor(traced["input_ids"].reshape(1, -1).astype(np.int64))
    want = reference(kind, model, pixels, ids)[0]
    return error(traced["logits"], want), want


def run_case(number, seed, program, work):
    rng, generator = random.Random(f"{seed}/{number}"), torch.Generator().manual_seed(1000 * seed + number)
    torch.manual_seed(1000 * seed + number)
    kind = rng.choice(["paligemma", "paligemma", "gemma", "siglip"])
    model, settings = draw_model(rng, kind).eval(), draw_adapter(rng, kind)
    base, adapter, merged = work / "base", work / "adapter", work / "merged"
    model.save_pretrained(base, max_shard_size=rng.choice(["5GB", "40KB"]))
    if kind != "siglip":
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            source = GOLDEN / "inference" / "paligemma-tiny-f32" / "checkpoint" / name
            source = source if source.exists() else next(GOLDEN.rglob(name))
            (base / name).write_bytes(source.read_bytes())
    model = get_peft_model(model, LoraConfig(**settings)).eval()
    randomise(model, generator)
    model.save_pretrained(adapter)
    old = kind == "paligemma" and "pattern" not in str(settings.get("rank_pattern")) and rng.random() < 0.4
    if old:
        older_names(adapter)
    traced = program.trace(kind, base, adapter, GOLDEN / "inference" / "images" / "cow.jpg")
    at_run_time, want = compare(kind, traced, model)
    program.run("merge", "-m", base, "--adapter", adapter, "--out", merged, "--dtype", "f32", "--shard-size", "50KB")
    whole = {"gemma": GemmaForCausalLM, "siglip": SiglipModel,
             "paligemma": PaliGemmaForConditionalGeneration}[kind].from_pretrained(merged).eval()
    when_merged = error(compare(kind, traced, whole)[1], want)
    agrees = at_run_time <= RUN_LIMIT and when_merged <= MERGED_LIMIT
    form = settings["target_modules"] if isinstance(settings["target_modules"], str) else ",".join(settings["target_modules"])
    extras = [k for k in ("rank_pattern", "alpha_pattern", "exclude_modules", "modules_to_save") if settings.get(k)]
    print(f"{number:3} {kind:9} r{settings['r']} {'rs ' if settings['use_rslora'] else '   '}{'old' if old else 'new'} names "
          f"{at_run_time:.1e} {when_merged:.1e} {'equal' if agrees else 'DIFFERS'}  {form[:60]} {' '.join(extras)}", flush=True)
    return agrees


def ours_to_peft(build, work):
    """The adapter that test_adapter makes, read by PEFT on the same base and batch."""
    folder = work / "ours"
    subprocess.run([build / "test_adapter"], check=True, capture_output=True, env=dict(os.environ, PG_ADAPTER_FOLDER=str(folder)))
    base = PaliGemmaForConditionalGeneration.from_pretrained(GOLDEN / "training" / "checkpoints" / "paligemma").eval()
    model = PeftModel.from_pretrained(base, folder).eval()
    inputs = load_file(GOLDEN / "training" / "paligemma-lora" / "inputs.safetensors")
    with torch.no_grad():
        logits = model(**inputs).logits[:, -12:].numpy()
    found = error(load_file(folder / "logits.safetensors")["logits"].numpy(), logits)
    plain = base.get_input_embeddings().weight.shape[0]
    print(f"ours to PEFT: {len(load_file(folder / 'adapter_model.safetensors'))} factors, vocabulary {plain}, error {found:.1e}")
    return found <= RUN_LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    good = 0
    numbers = [arguments.only] if arguments.only is not None else range(arguments.cases)
    for number in numbers:
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            good += run_case(number, arguments.seed, Program(arguments.build.resolve(), work), work)
    with tempfile.TemporaryDirectory() as work:
        ours = ours_to_peft(arguments.build.resolve(), pathlib.Path(work))
    print(f"{good} of {len(numbers)} cases agree; an adapter of ours in PEFT: {'equal' if ours else 'DIFFERS'}")
    return 0 if ours and good == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
