#!/usr/bin/env python3
"""Gradients of random models through transformers' autograd and through `paligemma gradients`; they must agree.

    python tools/gradient_parity.py [--cases 30] [--seed 0] [--only N] [--program build/paligemma] [--photos DIR]

Needs what tools/parity.py needs, whose random models, pictures and prompts these are. Each case draws a PaliGemma (rows
of pictures, prefix and suffix, one to four), a Gemma (texts) or a SigLIP (pictures with texts), and compares, with f32
arithmetic on both sides, the loss (1e-5) and every weight's gradient: the largest difference within 1e-4 of the tensor's
largest value, the whole gradient within 5e-5 (the tolerances of tests/golden/training). Biases of keys have no
gradient but rounding and are held against zero. The exit status is 1 if anything differs.
"""
import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoProcessor, AutoTokenizer
from transformers.utils import logging

import parity

LOSS_LIMIT, TENSOR_LIMIT, WHOLE_LIMIT = 1e-5, 1e-4, 5e-5


def draw_answer(rng):
    words = ["cow", "beach", "a yellow flower", "two", "<loc0012><loc0100><loc0500><loc0900> cow", "Straße", "日本", "42"]
    return " ".join(str(rng.choice(words)) for _ in range(rng.integers(1, 5)))


def pictures_for(rng, photos, folder, count):
    """PNG files as the reference and the program read them alike."""
    made = []
    for number in range(count):
        picture = parity.draw_picture(rng, photos, folder, number)
        path = folder / f"plain{number}.png"
        picture.upright.save(path)
        made.append((path.name, picture.upright))
    return made


def paligemma_case(rng, model, checkpoint, photos, folder):
    processor = AutoProcessor.from_pretrained(checkpoint)
    made = pictures_for(rng, photos, folder, int(rng.integers(1, 5)))
    rows = [{"image": name, "prefix": parity.draw_prompt(rng), "suffix": draw_answer(rng)} for name, _ in made]
    batch = processor(images=[image for _, image in made], text=["<image>" + row["prefix"] for row in rows],
                      suffix=[row["suffix"] for row in rows], return_tensors="pt", padding="longest")
    model.train()
    return "sft", rows, model(**batch).loss


def gemma_case(rng, model, checkpoint, photos, folder):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    rows = [{"text": "".join(parity.draw_prompt(rng) for _ in range(rng.integers(1, 4))).strip() or "x"} for _ in range(rng.integers(1, 5))]
    losses, count = 0, 0
    for row in rows:
        ids = torch.tensor([tokenizer(row["text"])["input_ids"] + [1]])
        logits = model(input_ids=ids).logits[0, :-1]
        losses = losses + torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        count += ids.shape[1] - 1
    return "lm", rows, losses / count


def siglip_case(rng, model, checkpoint, photos, folder):
    processor = AutoProcessor.from_pretrained(checkpoint)
    made = pictures_for(rng, photos, folder, int(rng.integers(2, 6)))
    rows = [{"image": name, "text": draw_answer(rng)} for name, _ in made]
    batch = processor(images=[image for _, image in made], text=[row["text"] for row in rows], padding="max_length", truncation=True,
                      return_tensors="pt")
    return "siglip", rows, model(**batch, return_loss=True).loss


CASES = {"paligemma": paligemma_case, "gemma": gemma_case, "siglip": siglip_case}


def is_nothing(name):
    """Softmax does not see a shift of all keys."""
    return name.endswith("k_proj.bias")


def compare(report, model, found, loss):
    report.array("loss", [found["loss"]], [loss.detach().numpy()], LOSS_LIMIT)
    off = size = 0.0
    compared = 0
    for name, parameter in model.named_parameters():
        key = next((k for k in (f"grad.{name}", f"grad.{parity.old_names(name)}") if k in found), None)
        if key is None:
            if parameter.grad is not None:  # else a part that the reference makes up where config.json does not ask for it
                report.wrong.append(f"{name}: no gradient")
            continue
        want = (parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)).numpy().astype(np.float64)
        got = found[key].astype(np.float64).reshape(want.shape)
        if name.endswith("in_proj_bias"):  # the middle third is a bias of keys
            third = want.shape[0] // 3
            want, got = np.delete(want, slice(third, 2 * third)), np.delete(got, slice(third, 2 * third))
        if is_nothing(name):
            continue
        report.array(name, got, want, TENSOR_LIMIT)
        off += ((got - want) ** 2).sum()
        size += (want ** 2).sum()
        compared += 1
    whole = (off / size) ** 0.5
    if not whole <= WHOLE_LIMIT:
        report.wrong.append(f"whole gradient: {whole:.2e}")
    return compared, whole


def run_case(number, seed, photos, program_path):
    rng = np.random.default_rng([seed, number])
    start, report = time.time(), parity.Report()
    kind = str(rng.choice(["paligemma"] * 3 + ["gemma", "siglip"]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        checkpoint = folder / "checkpoint"
        model, shape, how = parity.make_checkpoint(rng, kind, checkpoint)
        objective, rows, loss = CASES[kind](rng, model, checkpoint, photos, folder)
        loss.backward()
        (folder / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        program = parity.Program(program_path, folder)
        program.run("gradients", checkpoint, "--data", folder / "rows.jsonl", "--objective", objective, "--compute", "f32", "--text-length", 512,
                    *(["--checkpointing"] if rng.integers(2) else []), "--out", folder / "gradients.safetensors")
        compared, whole = compare(report, model, load_file(folder / "gradients.safetensors"), loss)
    print(f"{number:3} {kind:9} {shape:45} {how:22} rows {len(rows)} {compared:3} tensors, worst {report.worst:.1e} ({report.where[-40:]}), whole "
          f"{whole:.1e} {'equal' if not report.wrong else 'DIFFERS'} {time.time() - start:.1f} s", flush=True)
    for line in report.wrong[:5]:
        print("      ", line)
    return not report.wrong, report.worst, whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--program", default=str(parity.ROOT / "build" / "paligemma"))
    parser.add_argument("--photos", type=pathlib.Path, default=parity.GOLDEN / "images")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    photos = sorted(p for p in arguments.photos.iterdir() if p.suffix in (".jpg", ".png"))
    numbers = [arguments.only] if arguments.only is not None else range(arguments.cases)
    results = [run_case(number, arguments.seed, photos, arguments.program) for number in numbers]
    right = sum(ok for ok, _, _ in results)
    print(f"{len(results)} cases (seed {arguments.seed}): {right} agree; worst tensor {max(w for _, w, _ in results):.1e}, worst whole gradient "
          f"{max(w for _, _, w in results):.1e}")
    sys.exit(right != len(results))


if __name__ == "__main__":
    main()
