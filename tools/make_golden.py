#!/usr/bin/env python3
"""Cuts the golden inference and training cases that the tests need out of the full reference data.

    python3 tools/make_golden.py REFERENCE      # REFERENCE/golden/inference, training: what the oracle scripts wrote
    python3 tools/make_golden.py --manifest     # only renews tests/golden/MANIFEST.sha256

Writes tests/golden/inference, tests/golden/training and MANIFEST.sha256 over everything in tests/golden. Nothing is computed anew: arrays are
left out, pictures and checkpoints that cases share are stored once, and

* pixel values, which are an exact function of bytes, are stored as those bytes (`.resized`);
* a checkpoint that is another one rounded to bf16 or f16 becomes derive.json ("from", "dtype") and patch.safetensors,
  which holds the rows that are not ("TENSOR:ROW"); one with the key names of newer versions of transformers becomes
  derive.json ("from", "names"). tests/unit/golden_case.c writes them out again, this script checks that it may;
* the tables of full-size shapes hold one row for all layers: ["…layers.#.…", "…", shape, layers].

Only the standard library is needed.
"""
import argparse
import hashlib
import json
import pathlib
import re
import shutil
import struct

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
BASE = "paligemma-tiny-f32"
SHARDED = "paligemma-tiny-sharded"
# case: regular expressions of the arrays to keep
CASES = {
    BASE: [r"image\.cow\.jpg\.pixel_values", r".*\.resized", r"image\..*\.(vision|features)", r"trace\..*", r"prompt\..*", r"variant\..*",
           r"sampling\..*", r"batch\.(generated|logits_last)", r"multi\..*", r"suffix\..*\.(input_ids|labels)"],
    "paligemma-tiny-bf16": [r"image\.(cow|small)\..*\.(vision|features)", r"prompt\.\d+\.(?!logits$).*", r"native\..*"],
    "paligemma-tiny-f16": [r"image\.(cow|small)\..*\.(vision|features)", r"prompt\.\d+\.(?!logits$).*", r"native\..*"],
    SHARDED: [r"image\.(lily|small|wide)\..*\.(resized|vision|features)", r"trace\..*", r"prompt\.\d+\.(?!logits$).*"],
    "gemma-tiny-mha": [r"trace\..*", r"prompt\..*", r"perplexity\..*", r"batch\.generated"],
    "siglip-tiny": [r"image\..*\.(resized|vision|features)", r"input_ids", r"text_.*", r"image_embeds", r"logits_per_image", r"probabilities"],
}
NEVER = [r".*\.attention_mask"]
NEW_NAMES = [("language_model.model.", "model.language_model."), ("vision_tower.", "model.vision_tower."),
             ("multi_modal_projector.", "model.multi_modal_projector.")]


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}"""
    raw = path.read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    return {k: (v["dtype"], v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def write_safetensors(path, arrays):
    header, offset = {}, 0
    order = sorted(arrays, key=lambda k: (-{"I64": 8, "F32": 4, "BF16": 2, "F16": 2, "U8": 1}[arrays[k][0]], k))
    for name in order:
        dtype, shape, data = arrays[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(arrays[n][2] for n in order))


def checkpoint(folder):
    return {k: v for f in sorted(folder.glob("*.safetensors")) for k, v in read_safetensors(f).items()}


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


# What the model sees for a byte: value / 255 in f64, rounded to f32, then (x - 0.5) / 0.5 in f32.
PIXEL = {single((single(u * (1 / 255)) - 0.5) / 0.5): u for u in range(256)}


def bytes_of_pixels(array):
    """The [height, width, 3] bytes behind [3, height, width] pixel values; a value that no byte gives is a KeyError."""
    _, (channels, height, width), data = array
    values = [PIXEL[v] for v in floats(data)]
    area = height * width
    return "U8", [height, width, channels], bytes(values[c * area + i] for i in range(area) for c in range(channels))


def rounded(data, dtype):
    if dtype == "F16":
        return struct.pack(f"<{len(data) // 4}e", *floats(data))
    bits = struct.unpack(f"<{len(data) // 4}I", data)
    return struct.pack(f"<{len(bits)}H", *((b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits))


# ---------------------------------------------------------------- one case
def cut_arrays(source, target, patterns):
    arrays = read_safetensors(source / "expected.safetensors")
    for name in [n for n in arrays if n.endswith(".pixel_values") and n.count(".") > 1]:
        small = name.removesuffix("pixel_values") + "resized"
        assert small not in arrays or arrays[small] == bytes_of_pixels(arrays[name]), name
        arrays[small] = bytes_of_pixels(arrays[name])
    keep = {n: a for n, a in arrays.items() if any(re.fullmatch(p, n) for p in patterns) and not any(re.fullmatch(p, n) for p in NEVER)}
    unused = [p for p in patterns if not any(re.fullmatch(p, n) for n in keep)]
    assert not unused, f"{target.name}: no array matches {unused}"
    write_safetensors(target / "expected.safetensors", keep)


def cut_facts(source, target, images):
    facts = json.loads((source / "expected.json").read_text(encoding="utf-8"))
    facts["checkpoints"] = sorted(p.name for p in target.glob("checkpoint*"))
    if "image_folder" in facts:
        facts["image_folder"] = images
    for probe in facts.get("tokenizer", []):
        del probe["padded"]                       # input_ids filled up with 1
    for key in ("about", "measured", "image_features", "loss", "loss_value", "processor_returns"):
        facts.pop(key, None)
    (target / "expected.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def copy_checkpoint(source, target):
    target.mkdir()
    for f in sorted(source.iterdir()):
        shutil.copyfile(f, target / f.name)


def derive_rounded(source, target, base, base_name):
    """target becomes "base_name in another dtype", with the rows that differ beside it."""
    want, have, patch = checkpoint(source), checkpoint(base), {}
    assert want.keys() == have.keys()
    dtype = next(iter(want.values()))[0]
    for name, (kind, shape, data) in want.items():
        made = rounded(have[name][2], dtype)
        assert kind == dtype and shape == have[name][1] and len(made) == len(data)
        row = len(data) // shape[0]
        for i in range(shape[0]):
            part = data[i * row:(i + 1) * row]
            if part != made[i * row:(i + 1) * row]:
                patch[f"{name}:{i}"] = (dtype, [row // 2], part)
    target.mkdir()
    write_safetensors(target / "patch.safetensors", patch)
    write_derivation(source, target, base, {"from": base_name, "dtype": dtype})


def derive_renamed(source, target, base, base_name):
    """target becomes "base_name with the names of transformers >= 4.52", lm_head.weight included."""
    want, have = checkpoint(source), checkpoint(base)
    made = {next(new + k[len(old):] for old, new in NEW_NAMES if k.startswith(old)): v for k, v in have.items()}
    made["lm_head.weight"] = made["model.language_model.embed_tokens.weight"]
    assert made == want
    target.mkdir()
    write_derivation(source, target, base, {"from": base_name, "names": NEW_NAMES, "copies": {"lm_head.weight": "model.language_model.embed_tokens.weight"}})


def write_derivation(source, target, base, recipe):
    for name in sorted(p.name for p in source.iterdir() if not re.search(r"safetensors", p.name)):
        if (source / name).read_bytes() != (base / name).read_bytes():
            shutil.copyfile(source / name, target / name)
    (target / "derive.json").write_text(json.dumps(recipe, indent=1) + "\n")


def copy_images(source, target):
    target.mkdir(exist_ok=True)
    for f in sorted(source.iterdir()):
        assert not (target / f.name).exists() or (target / f.name).read_bytes() == f.read_bytes(), f
        shutil.copyfile(f, target / f.name)


def make_case(reference, out, name):
    source, target = reference / name, out / name
    target.mkdir()
    if name in ("paligemma-tiny-bf16", "paligemma-tiny-f16"):
        derive_rounded(source / "checkpoint", target / "checkpoint", reference / BASE / "checkpoint", f"../../{BASE}/checkpoint")
    else:
        copy_checkpoint(source / "checkpoint", target / "checkpoint")
    if name == SHARDED:
        derive_renamed(source / "checkpoint-new-names", target / "checkpoint-new-names", source / "checkpoint", "../checkpoint")
    images = "images" if name == "siglip-tiny" else "../images"
    if (source / "images").is_dir():
        copy_images(source / "images", target / images)
    cut_arrays(source, target, CASES[name])
    cut_facts(source, target, images)


# ---------------------------------------------------------------- training
TRAINING = ["paligemma-sft", "paligemma-attention-only", "paligemma-lora", "gradient-accumulation", "gemma-pretrain", "dpo", "bf16",
            "siglip-pretrain", "pooled-classifier"]
# The mask of the padded form and the logits of whole rows: neither exists here. Pictures are in inputs.safetensors.
TRAINING_LEAVES = re.compile(r"attention_allowed|logits")
TRAINING_HAS_LOGITS = {"pooled-classifier"}


def make_training(reference, out):
    shutil.rmtree(out, ignore_errors=True)
    for checkpoint_folder in sorted((reference / "checkpoints").iterdir()):
        target = out / "checkpoints" / checkpoint_folder.name
        target.mkdir(parents=True)
        for f in sorted(checkpoint_folder.iterdir()):
            twin = reference / "checkpoints" / "paligemma" / f.name
            if f == twin or "token" not in f.name or f.read_bytes() != twin.read_bytes():
                shutil.copyfile(f, target / f.name)
    for name in TRAINING:
        shutil.copytree(reference / name, out / name, ignore=shutil.ignore_patterns("*.ppm", "expected.safetensors"))
        arrays = read_safetensors(reference / name / "expected.safetensors")
        keep = {n: a for n, a in arrays.items() if name in TRAINING_HAS_LOGITS or not TRAINING_LEAVES.fullmatch(n)}
        if keep == arrays:
            shutil.copyfile(reference / name / "expected.safetensors", out / name / "expected.safetensors")
        else:
            write_safetensors(out / name / "expected.safetensors", keep)
    for f in out.rglob("*"):
        f.chmod(0o755 if f.is_dir() else 0o644)


# ---------------------------------------------------------------- tables of shapes, manifest
def cut_shapes(source, target):
    """One row for all layers of a tower. Every layer has the same tensors, which is checked."""
    table, rows = json.loads(source.read_text()), {}
    hide = lambda name: name and re.sub(r"\.layers\.\d+\.", ".layers.#.", name)
    for published, memory, shape in table["tensors"]:
        rows.setdefault((hide(published), hide(memory), tuple(shape)), []).append(memory)
    for (_, memory, _), names in rows.items():
        assert sorted(names) == sorted(memory.replace("#", str(i)) for i in range(len(names)))
    head = json.dumps({k: v for k, v in table.items() if k not in ("tensors", "columns", "bytes_in_bf16")}, indent=1)
    body = ",\n".join("  " + json.dumps([p, m, s] + ([len(n)] if "#" in m else [])) for (p, m, s), n in rows.items())
    target.write_text(head[:-2] + ',\n "tensors": [\n' + body + "\n ]\n}\n")


def write_manifest():
    files = sorted(p for p in GOLDEN.rglob("*") if p.is_file() and not p.name.startswith("MANIFEST"))
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(GOLDEN).as_posix()}\n" for p in files]
    (GOLDEN / "MANIFEST.sha256").write_text("".join(lines))
    print(f"{len(files)} files, {sum(p.stat().st_size for p in files) / 1e6:.2f} MB in tests/golden")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", type=pathlib.Path, nargs="?")
    parser.add_argument("--manifest", action="store_true")
    arguments = parser.parse_args()
    if arguments.reference is None and not arguments.manifest:
        parser.error("REFERENCE or --manifest is needed")
    if arguments.reference is not None:
        reference, out = arguments.reference / "golden" / "inference", GOLDEN / "inference"
        shutil.rmtree(out, ignore_errors=True)
        (out / "shapes").mkdir(parents=True)
        for name in CASES:
            make_case(reference, out, name)
        for table in sorted((reference / "shapes").glob("*.json")):
            cut_shapes(table, out / "shapes" / table.name)
        make_training(arguments.reference / "golden" / "training", GOLDEN / "training")
    write_manifest()


if __name__ == "__main__":
    main()
