#!/usr/bin/env python3
"""Random models, pictures and prompts through transformers and through this program; what they compute must agree.

    python tools/parity.py [--cases 50] [--seed 0] [--only N] [--program build/paligemma] [--photos DIR] [--keep DIR]

Needs torch, transformers, pillow, sentencepiece and safetensors from PyPI (versions: tests/golden/MANIFEST.md).

Each case draws a model (PaliGemma, Gemma or a SigLIP dual encoder: widths, layers, heads, key heads, picture and patch
size, dtype, key names, shards, which fields config.json leaves to their defaults), pictures (crops of the photos in DIR,
resized, in any file format, with any EXIF orientation) and prompts, writes a checkpoint in the published layout, and
compares, with f32 arithmetic on both sides:

    trace       input ids and pixels exactly, every other intermediate within 2e-5 of the array's largest value
    greedy      token for token with random limits and penalties; where a step differs, the reference's margin between
                the two best scores must be below 1e-3 ("tie"), and the rest of that answer is not compared
    beams       the same answers with scores within 1e-4; a different answer must have a score within 1e-3 of the
                reference's in the same place ("tie")
    embeddings  pictures' and texts' within 2e-5, probabilities within 1e-5
    perplexity  the negative log-likelihood of a text within 1e-5

A table goes to standard output; the exit status is 1 if anything differs. --only N repeats one case.
"""
import argparse
import contextlib
import dataclasses
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
import transformers
from PIL import Image, ImageOps
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from transformers import (AutoProcessor, AutoTokenizer, GemmaConfig, GemmaForCausalLM, GemmaTokenizerFast, PaliGemmaConfig,
                          PaliGemmaForConditionalGeneration, PaliGemmaProcessor, SiglipConfig, SiglipImageProcessor, SiglipModel,
                          SiglipProcessor, SiglipTokenizer, SiglipVisionConfig)
from transformers.models.siglip.configuration_siglip import SiglipTextConfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "inference"
ARRAY_LIMIT, MARGIN_LIMIT, SCORE_LIMIT, SCORE_TIE, PROBABILITY_LIMIT = 2e-5, 1e-3, 1e-4, 1e-3, 1e-5
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
OPENINGS = ["caption en", "caption de", "cap fr", "ocr", "describe en", "detect cow ; dog", "segment cat", "", "  two  spaces\tand tab ",
            "answer en What is on the beach?", "answer de Wo steht die Kuh, Müßiggänger?", "answer es ¿Dónde está la vaca?",
            "answer zh 牛在哪里？", "answer ja この花は何色ですか", "answer ru Где стоит корова?", "answer ar أين تقف البقرة؟", "answer hi गाय कहाँ है?",
            "caption en 🐄🏖️ 👩‍👩‍👧", "x", "caption en\n", "ocr\n\n", "def main():\n    return 1\n", "12 May 2024, 3.50 €"]
PARTS = [" and then", " the yellow flower", " <loc0012><loc1023>", " <seg000><seg127>", " \"quoted\"", " 🌻", " Straße", " 1234567890", "\t", "  ",
         " naïve café", " <b>bold</b>", " <loc1024>", " 日本語", " l'été"]


@dataclasses.dataclass
class Picture:
    path: pathlib.Path
    kind: str
    upright: Image.Image  # RGB, the EXIF orientation applied
    stored: Image.Image   # RGB, as the file has it


class Report:
    """What one case found: the worst relative error, counts, and every disagreement in words."""

    def __init__(self):
        self.worst, self.where, self.steps, self.ties, self.wrong = 0.0, "", 0, 0, []

    def array(self, name, got, want, limit=ARRAY_LIMIT):
        got, want = np.asarray(got), np.asarray(want)
        if got.size != want.size:
            return self.wrong.append(f"{name}: shape {list(got.shape)}, expected {list(want.shape)}")
        got, want = got.reshape(-1).astype(np.float64), want.reshape(-1).astype(np.float64)
        error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)) if want.size else 0.0
        if not error <= limit:
            self.wrong.append(f"{name}: error {error:.2e}, limit {limit:.0e}")
        if limit > 0 and not error <= self.worst:
            self.worst, self.where = error, name


# ---------------------------------------------------------------- random inputs
def draw_picture(rng, photos, folder, number):
    """A crop of a photo in some file format, JPEG most often."""
    photo = Image.open(photos[rng.integers(len(photos))]).convert("RGB")
    width, height = (int(n) for n in np.exp(rng.uniform(np.log(8), np.log(400), 2)))
    scale = min(photo.width / width, photo.height / height) * rng.uniform(0.4, 1.0)
    x, y = rng.uniform(0, photo.width - width * scale), rng.uniform(0, photo.height - height * scale)
    crop = photo.resize((width, height), Image.Resampling.LANCZOS, box=(x, y, x + width * scale, y + height * scale))
    kind = rng.choice(["jpg"] * 6 + ["png"] * 3 + ["webp"] * 2 + ["gif", "bmp", "ppm", "tif"])
    mode = str(rng.choice({"jpg": ["RGB", "RGB", "L", "CMYK"], "png": ["RGB", "L", "P", "RGBA", "LA", "1"], "webp": ["RGB", "RGBA"], "gif": ["P"],
                           "bmp": ["RGB", "L", "P"], "ppm": ["RGB"], "tif": ["RGB", "L"]}[kind]))
    options = {}
    if mode in ("RGBA", "LA"):
        crop.putalpha(Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)))
    if kind == "jpg":
        options = dict(quality=int(rng.integers(30, 98)), progressive=bool(rng.integers(2)), subsampling=int(rng.integers(3)))
    if kind == "webp":
        options = dict(quality=int(rng.integers(30, 98)), lossless=bool(rng.integers(2)))
    if kind in ("jpg", "png", "webp") and rng.random() < 0.4:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(1, 9))
        options["exif"] = exif
    path = folder / f"picture{number}.{kind}"
    crop.convert(mode).save(path, **options)
    stored = Image.open(path)
    return Picture(path, f"{kind}:{mode}", ImageOps.exif_transpose(stored).convert("RGB"), stored.convert("RGB"))


def draw_prompt(rng):
    return str(rng.choice(OPENINGS)) + "".join(rng.choice(PARTS) for _ in range(rng.integers(0, 4)))


def cut_tokenizer(rng, path, paligemma):
    """The golden tokenizer with fewer pieces and new dense ids; <loc>, <seg> and <image> only for PaliGemma."""
    full = json.loads((GOLDEN / "paligemma-tiny-f32" / "checkpoint" / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = sorted(full["model"]["vocab"], key=full["model"]["vocab"].get)
    control, merged = 473, int(rng.integers(100, 1200))
    needed = {c for p in pieces[:control + merged] for c in p}
    keep = pieces[:control + merged] + [p for p in pieces[control + merged:] if len(p) == 1 and (p in needed or rng.random() < 0.5)]
    vocab = {p: n for n, p in enumerate(dict.fromkeys(keep))}
    full["model"]["merges"] = [m for m in full["model"]["merges"] if m[0] in vocab and m[1] in vocab and "".join(m) in vocab]
    full["model"]["vocab"] = vocab
    added = [t for t in full["added_tokens"] if paligemma or t["id"] < 4]
    full["added_tokens"] = [dict(t, id=vocab.get(t["content"], len(vocab) + n - 4)) for n, t in enumerate(added)]
    path.write_text(json.dumps(full, ensure_ascii=False), encoding="utf-8")
    return GemmaTokenizerFast(tokenizer_file=str(path), add_bos_token=not paligemma, add_eos_token=False, unk_token="<unk>", bos_token="<bos>",
                              eos_token="<eos>", pad_token="<pad>", **({"additional_special_tokens": ["<image>"]} if paligemma else {}))


# ---------------------------------------------------------------- random models
def redraw(model, seed):
    """Weights wide enough that tokens are decided by margins and not by rounding."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                embedding = "embed_tokens" in name or "token_embedding" in name
                p.copy_(noise * (0.12 if embedding else 0.3 if "position_embedding" in name else 1.5 / p[0].numel() ** 0.5))
            elif "norm" in name and name.endswith("weight"):
                gemma = "language_model" in name or name.startswith(("model.layers", "model.norm"))
                last = gemma and name.endswith("model.norm.weight")
                p.copy_((0.0 if gemma else 1.0) + (4.0 if last else 0.0) + 0.2 * noise)
            elif "logit_" not in name:
                p.copy_(0.1 * noise)
    model.tie_weights()
    return model.eval()


def draw_text(rng):
    kv = int(rng.choice([1, 1, 2, 3]))
    heads = kv * int(rng.choice([1, 2, 4]))
    return dict(hidden_size=int(rng.integers(4, 13)) * 8, intermediate_size=int(rng.integers(8, 25)) * 8, num_hidden_layers=int(rng.integers(1, 5)),
                num_attention_heads=heads, num_key_value_heads=kv, head_dim=2 * int(rng.integers(4, 17)),
                rope_theta=float(rng.choice([10000.0, 10000.0, 40000.0])), rms_norm_eps=float(rng.choice([1e-6, 1e-6, 1e-5])))


def draw_vision(rng):
    patch, heads = int(rng.choice([14, 14, 16, 7])), int(rng.choice([1, 2, 3, 5]))
    return dict(hidden_size=heads * int(rng.integers(3, 13)) * 2, intermediate_size=int(rng.integers(8, 40)) * 4, num_hidden_layers=int(rng.integers(1, 5)),
                num_attention_heads=heads, image_size=patch * int(rng.integers(2, 9)), patch_size=patch)


def without_defaults(config, default):
    """The fields a hand-written config.json would have."""
    default = default.to_dict()
    return {k: v for k, v in config.items() if k == "model_type" or default.get(k, v is None) != v}


def old_names(name):
    """The published key of a PaliGemma tensor."""
    for new, old in (("model.language_model.", "language_model.model."), ("model.vision_tower.", "vision_tower."),
                     ("model.multi_modal_projector.", "multi_modal_projector.")):
        if name.startswith(new):
            return old + name[len(new):]
    return name


def write_weights(rng, model, folder, dtype):
    """The tensors in one file or in shards, under either set of names; returns what was chosen."""
    newer = bool(rng.integers(2)) and not isinstance(model, SiglipModel)
    tensors = {k if newer else old_names(k): v.to(DTYPES[dtype]).contiguous().clone() for k, v in model.state_dict().items()
               if newer or k != "lm_head.weight"}
    count = int(rng.choice([1, 1, 2, 5]))
    names, files = list(tensors), {}
    rng.shuffle(names)
    for i in range(count):
        file = f"model-{i + 1:05d}-of-{count:05d}.safetensors" if count > 1 else "model.safetensors"
        files |= {n: file for n in names[i::count]}
        save_file({n: tensors[n] for n in names[i::count]}, folder / file, metadata={"format": "pt"})
    if count > 1:
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": files}))
    return f"{dtype} {'new' if newer else 'old'} names, {count} file{'s' if count > 1 else ''}"


def write_config(rng, model, folder, dtype, parts):
    """config.json and generation_config.json; half the time without the fields that have their default value."""
    model.config.dtype = DTYPES[dtype]
    model.config.save_pretrained(folder)
    if hasattr(model, "generation_config") and model.can_generate():
        model.generation_config.save_pretrained(folder)
    if rng.integers(2):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        for part, kind in parts.items():
            config[part] = without_defaults(config[part], kind())
        path.write_text(json.dumps(config))


def image_processor(size, patch):
    processor = SiglipImageProcessor(size={"height": size, "width": size}, resample=3, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    processor.image_seq_length = (size // patch) ** 2
    return processor


def make_paligemma(rng, folder, dtype):
    tokenizer = cut_tokenizer(rng, folder / "cut.json", True)
    (folder / "cut.json").unlink()
    vision, text = draw_vision(rng), draw_text(rng)
    image = tokenizer.convert_tokens_to_ids("<image>")
    tokens, vocabulary = (vision["image_size"] // vision["patch_size"]) ** 2, (image + 64) // 64 * 64
    config = PaliGemmaConfig(vision_config=dict(vision, model_type="siglip_vision_model", projection_dim=text["hidden_size"], vision_use_head=False),
                             text_config=dict(text, model_type="gemma", vocab_size=vocabulary, num_image_tokens=tokens), image_token_index=image,
                             projection_dim=text["hidden_size"], hidden_size=text["hidden_size"], bos_token_id=2, eos_token_id=1, pad_token_id=0)
    model = PaliGemmaForConditionalGeneration(config)
    for key, value in dict(bos_token_id=2, eos_token_id=1, pad_token_id=0).items():
        setattr(model.generation_config, key, value)
    processor = PaliGemmaProcessor(image_processor=image_processor(vision["image_size"], vision["patch_size"]), tokenizer=tokenizer)
    processor.save_pretrained(folder)
    shape = f"v {vision['hidden_size']}x{vision['num_hidden_layers']} @{vision['image_size']}/{vision['patch_size']} t {text_shape(text)}"
    return model, shape, dict(text_config=GemmaConfig, vision_config=SiglipVisionConfig)


def text_shape(t):
    return f"{t['hidden_size']}x{t['num_hidden_layers']} h{t['num_attention_heads']}/{t['num_key_value_heads']}x{t['head_dim']}"


def make_gemma(rng, folder, dtype):
    tokenizer = cut_tokenizer(rng, folder / "cut.json", False)
    (folder / "cut.json").unlink()
    text = draw_text(rng)
    model = GemmaForCausalLM(GemmaConfig(**text, vocab_size=(len(tokenizer) + 63) // 64 * 64, bos_token_id=2, eos_token_id=1, pad_token_id=0))
    tokenizer.save_pretrained(folder)
    return model, "t " + text_shape(text), {}


def make_siglip(rng, folder, dtype):
    vision, length, heads = draw_vision(rng), int(rng.choice([16, 24, 64])), int(rng.choice([1, 2, 4]))
    tokenizer = SiglipTokenizer(str(GOLDEN / "siglip-tiny" / "checkpoint" / "spiece.model"), model_max_length=length, model_input_names=["input_ids"])
    text = dict(vocab_size=tokenizer.vocab_size, hidden_size=heads * int(rng.integers(3, 13)) * 2, intermediate_size=int(rng.integers(8, 40)) * 4,
                num_hidden_layers=int(rng.integers(1, 5)), num_attention_heads=heads, max_position_embeddings=length, projection_size=vision["hidden_size"])
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():
        model.logit_scale.fill_(float(rng.uniform(0.5, 3.0)))
        model.logit_bias.fill_(float(rng.uniform(-8.0, 0.0)))
    size = vision["image_size"]
    SiglipProcessor(SiglipImageProcessor(size={"height": size, "width": size}, resample=3), tokenizer).save_pretrained(folder)
    shape = f"v {vision['hidden_size']}x{vision['num_hidden_layers']} @{size}/{vision['patch_size']} t {text['hidden_size']}x{text['num_hidden_layers']} n{length}"
    return model, shape, dict(text_config=SiglipTextConfig, vision_config=SiglipVisionConfig)


MAKERS = {"paligemma": make_paligemma, "gemma": make_gemma, "siglip": make_siglip}


def make_checkpoint(rng, kind, folder):
    """Draws a model, writes it, and reads it back for f32 arithmetic. Returns the model and two descriptions."""
    folder.mkdir()
    dtype = str(rng.choice(["f32", "f32", "bf16", "f16"]))
    model, shape, parts = MAKERS[kind](rng, folder, dtype)
    redraw(model, int(rng.integers(1 << 31)))
    write_config(rng, model, folder, dtype, parts)
    how = write_weights(rng, model, folder, dtype)
    return type(model).from_pretrained(folder, dtype=torch.float32).eval(), shape, how


# ---------------------------------------------------------------- the program
class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def run(self, command, checkpoint, *options):
        done = subprocess.run([self.path, command, "-m", str(checkpoint), *map(str, options)], capture_output=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def json(self, command, checkpoint, *options):
        return json.loads(self.run(command, checkpoint, *options, "--json"))

    def trace(self, checkpoint, *options):
        out = self.folder / "trace.safetensors"
        self.run("trace", checkpoint, *options, "--out", out)
        return load_file(out)


# ---------------------------------------------------------------- the reference
class Hooks:
    """Outputs of submodules under the names of the program's trace."""

    def __init__(self, model):
        self.arrays, self.handles = {}, []
        inner = model.model
        language = getattr(inner, "language_model", inner)
        self.after(language.norm, "text.norm")
        self.handles.append(language.layers[0].register_forward_pre_hook(lambda _, a, k: self.keep("text.input", a[0] if a else k["hidden_states"]),
                                                                         with_kwargs=True))
        for i, layer in enumerate(language.layers):
            self.after(layer, f"text.layer.{i}")
        if language is not inner:
            tower = inner.vision_tower.vision_model
            self.after(tower.embeddings, "vision.embeddings")
            self.after(tower.post_layernorm, "vision.output")
            self.after(inner.multi_modal_projector, "features")
            for i, layer in enumerate(tower.encoder.layers):
                self.after(layer, f"vision.layer.{i}")

    def after(self, module, name):
        self.handles.append(module.register_forward_hook(lambda _, __, y: self.keep(name, y[0] if isinstance(y, tuple) else y)))

    def keep(self, name, value):
        self.arrays.setdefault(name, value.detach().numpy().copy())

    def close(self):
        for h in self.handles:
            h.remove()


def reference_trace(model, inputs):
    hooks = Hooks(model)
    with torch.no_grad():
        logits = model(**inputs).logits
    hooks.close()
    arrays = hooks.arrays | {"logits": logits.numpy(), "input_ids": inputs["input_ids"].numpy()}
    return arrays | ({"pixel_values": inputs["pixel_values"].numpy()} if "pixel_values" in inputs else {})


def compare_trace(report, got, want):
    for name, array in want.items():
        if name not in got:
            report.wrong.append(f"trace has no {name}")
        else:
            report.array(name, got[name], array, 0.0 if name in ("input_ids", "pixel_values") else ARRAY_LIMIT)


def compare_greedy(report, what, got, output, prompt_length):
    want = output.sequences[0, prompt_length:].tolist()
    for step, id in enumerate(want):
        if step >= len(got) or got[step] != id:
            best = output.scores[step][0].topk(2).values
            if float(best[0] - best[1]) >= MARGIN_LIMIT:
                report.wrong.append(f"{what}: step {step}: {got[step] if step < len(got) else 'end'}, expected {id}, margin {float(best[0] - best[1]):.2g}")
            report.ties += 1
            return
        report.steps += 1
    if len(got) > len(want):
        report.wrong.append(f"{what}: {len(got)} tokens, expected {len(want)}")


def compare_beams(report, got, output, prompt_length):
    for place, (row, score) in enumerate(zip(output.sequences[:, prompt_length:].tolist(), output.sequences_scores.tolist())):
        want = row[:row.index(1) + 1] if 1 in row else row
        if place >= len(got):
            return None if place else report.wrong.append("beams: none")
        same, apart = got[place]["tokens"] == want, abs(got[place]["score"] - score)
        if apart > (SCORE_LIMIT if same else SCORE_TIE) * max(1.0, abs(score)):
            report.wrong.append(f"beam {place}: score {got[place]['score']:.6f}, expected {score:.6f}, tokens {'same' if same else 'differ'}")
        report.steps += len(want) if same else 0
        report.ties += not same
    return None


@contextlib.contextmanager
def pictures_in_order(model, beams):
    """For beams, generate() repeats each picture in place (a a b b), where every beam needs its own a b: with several
    pictures the beams would look at each other's."""
    inner, plain = model.model, getattr(model.model, "get_image_features", None)
    if plain and beams > 1:
        inner.get_image_features = lambda pixels, **k: plain(pixels.unflatten(0, (-1, beams)).transpose(0, 1).flatten(0, 1), **k)
    try:
        yield
    finally:
        if plain and beams > 1:
            del inner.get_image_features


# ---------------------------------------------------------------- cases
def draw_options(rng, prompt_length):
    """Options of a greedy run: ours and the reference's."""
    ours, theirs = [], {}
    if rng.random() < 0.8:
        n = int(rng.integers(1, 25))
        ours, theirs = ["-n", n], dict(max_new_tokens=n)
    else:
        n = prompt_length + int(rng.integers(1, 13))
        ours, theirs = ["--max-length", n], dict(max_length=n)
    if rng.random() < 0.3:
        penalty = round(float(rng.uniform(1.05, 1.6)), 2)
        ours, theirs = ours + ["--repetition-penalty", penalty], theirs | dict(repetition_penalty=penalty)
    if rng.random() < 0.3:
        size = int(rng.integers(1, 4))
        ours, theirs = ours + ["--no-repeat-ngram-size", size], theirs | dict(no_repeat_ngram_size=size)
    return ours, theirs


def generate(model, inputs, **options):
    with torch.no_grad(), pictures_in_order(model, options.get("num_beams", 1)):
        return model.generate(**inputs, do_sample=False, return_dict_in_generate=True, output_scores=True, **options)


def compare_answers(rng, report, program, checkpoint, model, inputs, common):
    length = inputs["input_ids"].shape[1]
    compare_trace(report, program.trace(checkpoint, *common), reference_trace(model, inputs))
    ours, theirs = draw_options(rng, length)
    answer = program.json("generate", checkpoint, *common, *ours, "--compute", "f32")
    output = generate(model, inputs, **theirs)
    compare_greedy(report, " ".join(map(str, ours)), answer["tokens"], output, length)
    if answer["prompt_tokens"] != length:
        report.wrong.append(f"prompt_tokens: {answer['prompt_tokens']}, expected {length}")
    if rng.random() < 0.5:
        beams, n, penalty = int(rng.integers(2, 5)), int(rng.integers(2, 13)), round(float(rng.uniform(0.2, 1.8)), 1)
        got = program.json("generate", checkpoint, *common, "-n", n, "--beams", beams, "--beams-returned", beams, "--length-penalty", penalty, "--compute", "f32")["beams"]
        output = generate(model, inputs, num_beams=beams, num_return_sequences=beams, max_new_tokens=n, length_penalty=penalty)
        compare_beams(report, got, output, length)


def reload_with_eos(rng, model, inputs, checkpoint):
    """In half of the cases <eos> wins somewhere: its row becomes a slightly longer copy of a greedy token's row."""
    if rng.random() < 0.5:
        return model
    length = inputs["input_ids"].shape[1]
    answer = generate(model, inputs, max_new_tokens=12).sequences[0, length:]
    token = int(answer[rng.integers(len(answer))])
    for file in sorted(checkpoint.glob("*.safetensors")):
        tensors = load_tensors(file)
        changed = [n for n in tensors if n.endswith("embed_tokens.weight") or n == "lm_head.weight"]
        for name in changed:
            tensors[name][1] = tensors[name][token] * 1.03
        if changed:
            save_file(tensors, file, metadata={"format": "pt"})
    return type(model).from_pretrained(checkpoint, dtype=torch.float32).eval()


def run_paligemma(rng, report, program, folder, photos):
    checkpoint = folder / "checkpoint"
    model, shape, how = make_checkpoint(rng, "paligemma", checkpoint)
    processor = AutoProcessor.from_pretrained(checkpoint)
    pictures = [draw_picture(rng, photos, folder, i) for i in range(rng.choice([1, 1, 1, 2, 3]))]
    turned, prompt = bool(rng.integers(2)), draw_prompt(rng)
    seen = [p.upright if turned else p.stored for p in pictures]
    inputs = processor(text=[prompt], images=[seen], return_tensors="pt")
    model = reload_with_eos(rng, model, inputs, checkpoint)
    common = [x for p in pictures for x in ("--image", p.path)] + ["--prompt", prompt, "--special"] + ([] if turned else ["--no-exif"])
    compare_answers(rng, report, program, checkpoint, model, inputs, common + ["-t", int(rng.integers(1, 4))])
    return shape, how, "+".join(p.kind for p in pictures), inputs["input_ids"].shape[1]


def run_gemma(rng, report, program, folder, photos):
    checkpoint = folder / "checkpoint"
    model, shape, how = make_checkpoint(rng, "gemma", checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    prompt = draw_prompt(rng) or "x"
    inputs = tokenizer(prompt, return_tensors="pt")
    model = reload_with_eos(rng, model, inputs, checkpoint)
    compare_answers(rng, report, program, checkpoint, model, inputs, ["--prompt", prompt, "--special", "-t", int(rng.integers(1, 4))])
    compare_perplexity(rng, report, program, checkpoint, model, tokenizer, folder)
    return shape, how, "-", inputs["input_ids"].shape[1]


def compare_perplexity(rng, report, program, checkpoint, model, tokenizer, folder):
    text = "".join(draw_prompt(rng) for _ in range(6))
    (folder / "text.txt").write_text(text, encoding="utf-8")
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        want = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[0, :-1].double(), ids[0, 1:])
    got = program.json("perplexity", checkpoint, folder / "text.txt", "--compute", "f32")
    report.array("perplexity", [got["mean_nll"]], [float(want)], PROBABILITY_LIMIT)


def run_siglip(rng, report, program, folder, photos):
    checkpoint = folder / "checkpoint"
    model, shape, how = make_checkpoint(rng, "siglip", checkpoint)
    processor = AutoProcessor.from_pretrained(checkpoint)
    pictures = [draw_picture(rng, photos, folder, i) for i in range(rng.integers(1, 4))]
    texts = [draw_prompt(rng) for _ in range(rng.integers(1, 4))]
    inputs = processor(text=texts, images=[p.upright for p in pictures], padding="max_length", truncation=True, return_tensors="pt")
    with torch.no_grad():
        want = model(**inputs)
    got = program.json("embed", checkpoint, "--compute", "f32", *(x for p in pictures for x in ("--image", p.path)), *(x for t in texts for x in ("--text", t)))
    report.array("image embeddings", got["image_embeddings"], want.image_embeds)
    report.array("text embeddings", got["text_embeddings"], want.text_embeds)
    wrong = np.abs(np.asarray(got["probabilities"]) - want.logits_per_image.sigmoid().numpy()).max()
    if not wrong <= PROBABILITY_LIMIT:
        report.wrong.append(f"probabilities: {wrong:.1e} apart")
    return shape, how, "+".join(p.kind for p in pictures), inputs["input_ids"].shape[1]


RUNNERS = {"paligemma": run_paligemma, "gemma": run_gemma, "siglip": run_siglip}


ROW = "{:>3} {:9} {:36} {:25} {:26} {:>6} {:>6} {:>8} {:17} {:8} {:>4}"
HEAD = ROW.format("", "model", "vision widthxlayers, text, heads", "weights", "pictures", "prompt", "equal", "error", "in", "verdict", "s")


def run_case(number, arguments, photos, root):
    rng, report, start = np.random.default_rng([arguments.seed, number]), Report(), time.time()
    kind = str(rng.choice(["paligemma"] * 6 + ["gemma"] * 2 + ["siglip"] * 2))
    folder = root / f"case{number:03d}"
    folder.mkdir()
    shape = how = pictures = tokens = "-"
    try:
        shape, how, pictures, tokens = RUNNERS[kind](rng, report, Program(arguments.program, folder), folder, photos)
    except (RuntimeError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
        report.wrong.append(f"{type(error).__name__}: {error}")
    verdict = "DIFFERS" if report.wrong else "equal" if not report.ties else f"{report.ties} ties"
    print(ROW.format(number, kind, shape, how, pictures, tokens, report.steps, f"{report.worst:.1e}", report.where, verdict,
                     f"{time.time() - start:.1f}"), flush=True)
    for line in report.wrong:
        print("    " + line)
    return report


def summary(reports, seed):
    differ = sum(bool(r.wrong) for r in reports)
    worst = max(reports, key=lambda r: r.worst)
    print(f"{len(reports)} cases (seed {seed}): {len(reports) - differ} agree, {differ} differ; {sum(r.steps for r in reports)} tokens equal, "
          f"{sum(r.ties for r in reports)} ties; worst relative error {worst.worst:.1e} ({worst.where}). transformers {transformers.__version__}, "
          f"torch {torch.__version__}, Pillow {Image.__version__}")
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case of the seed and no other")
    parser.add_argument("--program", default=str(ROOT / "build" / "paligemma"))
    parser.add_argument("--photos", type=pathlib.Path, default=GOLDEN / "images")
    parser.add_argument("--keep", type=pathlib.Path, help="leave checkpoints and pictures in this new folder")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    photos = sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    numbers = range(arguments.cases) if arguments.only is None else [arguments.only]
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or pathlib.Path(temporary)
        root.mkdir(exist_ok=True)
        print(HEAD)
        reports = [run_case(n, arguments, photos, root) for n in numbers]
    return 1 if summary(reports, arguments.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
