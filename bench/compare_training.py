#!/usr/bin/env python3
"""Seconds per training step of a mid-size PaliGemma, this program and torch taking turns; prints Markdown for
docs/BENCHMARKS.md.

    compare_training.py --program build/paligemma --work FOLDER [--tokenizer FOLDER] [--rounds 5] [--steps 6] [--threads N]

The model (28 million parameters) has random weights: vision 256/1024, 4 layers, 4 heads; text 512/2048, 6 layers, 8 heads,
1 key head of 64; pictures of 112 pixels, 64 tokens. A step is a batch of 4 rows of 96 tokens, 20 of them scored: forward,
backward, AdamW. torch computes on tensors that are there already; the program reads its rows from files. Every turn is
a process of its own; its figure is the median of its steps after two. Needs torch, transformers, peft, numpy and Pillow.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

PICTURE, PATCHES, ROW, SCORED, ROWS, IMAGE_TOKEN = 112, 64, 96, 20, 4, 4000
CASES = {"full": ["--train", "full"], "attention": ["--train", "attention"],
         "lora": ["--train", "lora", "--lora-rank", "8", "--lora-dropout", "0"]}


# ---------------------------------------------------------------- torch

def make_model():
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration
    config = PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "hidden_size": 256, "intermediate_size": 1024,
                       "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": PICTURE, "patch_size": 14,
                       "projection_dim": 512, "vision_use_head": False},
        text_config={"model_type": "gemma", "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6,
                     "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 64, "vocab_size": 4096,
                     "num_image_tokens": PATCHES},
        projection_dim=512, hidden_size=512, image_token_index=IMAGE_TOKEN, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    return PaliGemmaForConditionalGeneration(config)


def torch_turn(case, steps, threads, attention):
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = make_model().train()
    model.set_attn_implementation(attention)
    if case == "attention":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("language_model" in name and ".self_attn." in name)
    if case == "lora":
        from peft import LoraConfig, get_peft_model
        targets = r".*language_model.*\.([qkvo]_proj|gate_proj|up_proj|down_proj)"
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=targets))
    ids = torch.randint(5, 2000, (ROWS, ROW))
    ids[:, :PATCHES], ids[:, PATCHES] = IMAGE_TOKEN, 2
    types = torch.zeros(ROWS, ROW, dtype=torch.long)
    types[:, ROW - SCORED:] = 1
    batch = {"input_ids": ids, "token_type_ids": types, "attention_mask": torch.ones_like(ids),
             "labels": ids.masked_fill(types == 0, -100), "pixel_values": torch.rand(ROWS, 3, PICTURE, PICTURE) * 2 - 1}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    seconds = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": statistics.median(seconds[2:]), "peak": peak}))


# ---------------------------------------------------------------- this program

def make_data(work, tokenizer):
    import numpy
    from PIL import Image
    random = numpy.random.default_rng(0)
    for index in range(ROWS):
        pixels = random.integers(0, 256, (PICTURE, PICTURE, 3), dtype=numpy.uint8)
        Image.fromarray(pixels).save(work / f"picture{index}.png")
    # <bos>, the prefix, a newline; the suffix, <eos>: words that are one token each
    prefix, suffix = " the" * (ROW - PATCHES - SCORED - 2), " the" * (SCORED - 1)
    rows = [{"image": f"picture{i}.png", "prefix": prefix, "suffix": suffix} for i in range(ROWS)]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_model().save_pretrained(work / "model")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "preprocessor_config.json"):
        if (tokenizer / name).exists():
            shutil.copy(tokenizer / name, work / "model" / name)
    path = work / "model" / "preprocessor_config.json"
    if path.exists():
        settings = json.loads(path.read_text())
        settings["size"] = {"height": PICTURE, "width": PICTURE}
        settings["image_seq_length"] = PATCHES
        path.write_text(json.dumps(settings))


def program_turn(arguments, case, compute):
    run = arguments.work / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [str(arguments.program), "train", "-m", str(arguments.work / "model"), "--data",
               str(arguments.work / "rows.jsonl"), "--out", str(run), "--steps", str(arguments.steps + 2), "--batch",
               str(ROWS), "--learning-rate", "1e-4", "--schedule", "constant", "--clip", "0", "--save-every", "0",
               "--compute", compute, "--threads", str(arguments.threads), *CASES[case]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(process.stderr.read().decode())
    lines = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
    tokens = [ROWS / line["rows_per_second"] * line["tokens_per_second"] for line in lines]
    if round(tokens[0]) != ROWS * ROW:
        raise SystemExit(f"a step has {tokens[0]:.0f} tokens, expected {ROWS * ROW}: the tokenizer makes other tokens")
    seconds = [ROWS / line["rows_per_second"] for line in lines]
    return {"seconds": statistics.median(seconds[2:]), "peak": usage.ru_maxrss * 1024}


# ---------------------------------------------------------------- turns

def take_turns(arguments):
    results = {}
    for number in range(arguments.rounds):
        for case in CASES:
            for name in ("f32", "bf16", "eager", "sdpa"):
                print(f"round {number + 1}: {case}, {name}", file=sys.stderr, flush=True)
                if name in ("f32", "bf16"):
                    result = program_turn(arguments, case, name)
                else:
                    command = [sys.executable, __file__, "--torch", case, "--attention", name, "--steps",
                               str(arguments.steps), "--threads", str(arguments.threads)]
                    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                results.setdefault((case, name), []).append(result)
    return results


def print_table(results):
    def median(key, field):
        return statistics.median(r[field] for r in results[key])

    def ratio(case, ours, field="seconds"):
        best = [min(a[field], b[field]) for a, b in zip(results[case, "eager"], results[case, "sdpa"])]
        values = [a[field] / b for a, b in zip(results[case, ours], best)]
        return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"

    print("| trained | torch eager, s | torch sdpa, s | f32, s | bf16, s | f32 : torch | bf16 : torch | memory f32 : torch |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        times = " | ".join(f"{median((case, name), 'seconds'):.3f}" for name in ("eager", "sdpa", "f32", "bf16"))
        print(f"| {case} | {times} | {ratio(case, 'f32')} | {ratio(case, 'bf16')} | {ratio(case, 'f32', 'peak')} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent.parent / "tests/golden/inference/paligemma-tiny-f32/checkpoint")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--torch", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--attention", default="eager", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch:
        torch_turn(arguments.torch, arguments.steps, arguments.threads, arguments.attention)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    make_data(arguments.work, arguments.tokenizer)
    print_table(take_turns(arguments))


if __name__ == "__main__":
    main()
