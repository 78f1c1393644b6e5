#!/usr/bin/env python3
"""Times transformers and torch on a GPU, at the work that ours.py gives to paligemma: the same lines of JSON.

    peers.py MODEL [--device cuda] [--sizes 224,448,896] [--attention sdpa,eager] [--new-tokens 64] [--rounds 5]
                   [--train lora,full] [--batch 8] [--text 32] [--steps 8] [--peak 989]
    peers.py --make FOLDER [--shape paligemma-3b]       writes a checkpoint of random numbers

Answers: bf16, greedy, generate() with its cache, one request that is not counted. Training: weights in f32 and products in
bf16 (autocast), as paligemma trains; fused AdamW; sdpa attention; no gradient checkpointing; LoRA of rank 8 on all linear
layers of the decoder, by peft, with frozen weights in bf16. Rows lie on the device before the clock starts. Memory is what
torch's allocator held at the most. Needs torch, transformers and peft.
"""
import argparse
import copy
import gc
import statistics
import time

import torch
from transformers import AutoConfig, PaliGemmaForConditionalGeneration
from transformers.utils import logging

import workload


class TokenTimes:
    """A streamer that notes when each token comes; the prompt comes first."""

    def __init__(self):
        self.times = []

    def put(self, _):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def synchronize(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def memory_gib(device):
    return round(torch.cuda.max_memory_reserved() / 2**30, 2) if device.startswith("cuda") else 0


def release(device):
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def load(arguments, dtype, attention, size=None):
    config = AutoConfig.from_pretrained(arguments.model)
    if size:
        patches = (size // config.vision_config.patch_size) ** 2
        config.vision_config.image_size = size
        config.vision_config.num_image_tokens = config.text_config.num_image_tokens = patches
    model = PaliGemmaForConditionalGeneration.from_pretrained(arguments.model, config=config, dtype=dtype,
                                                              ignore_mismatched_sizes=True,
                                                              attn_implementation=attention)
    return model.to(arguments.device)


def image_token(config):
    for name in ("image_token_id", "image_token_index"):
        if getattr(config, name, None) is not None:
            return getattr(config, name)
    raise SystemExit("config.json has no image token")


def make_request(model, device):
    config = model.config
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    random = torch.Generator().manual_seed(1)
    words = torch.randint(3, config.text_config.vocab_size // 2, (1, workload.PROMPT_TOKENS - 1), generator=random)
    image = torch.full((1, (side // patch) ** 2), image_token(config))
    ids = torch.cat([image, torch.tensor([[2]]), words], dim=1)
    pixels = torch.rand(1, 3, side, side, generator=random) * 2 - 1
    return {"input_ids": ids.to(device), "attention_mask": torch.ones_like(ids).to(device),
            "token_type_ids": torch.zeros_like(ids).to(device), "pixel_values": pixels.to(device, model.dtype)}


def time_vision(model, request, device, rounds):
    seconds = []
    for _ in range(rounds + 1):
        synchronize(device)
        start = time.perf_counter()
        model.get_image_features(pixel_values=request["pixel_values"])
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


@torch.inference_mode()
def time_answers(arguments, size, attention):
    release(arguments.device)
    start = time.perf_counter()
    model = load(arguments, torch.bfloat16, attention, size).eval()
    synchronize(arguments.device)
    loading = time.perf_counter() - start
    model.generation_config.eos_token_id = None
    request = make_request(model, arguments.device)
    first, speed = [], []
    for _ in range(arguments.rounds + 1):
        clock, start = TokenTimes(), time.perf_counter()
        model.generate(**request, max_new_tokens=arguments.new_tokens + 1, do_sample=False, streamer=clock, pad_token_id=0)
        times = clock.times[1:]
        first.append(times[0] - start)
        speed.append((len(times) - 1) / (times[-1] - times[0]))
    vision = time_vision(model, request, arguments.device, arguments.rounds)
    workload.show(what="answers", by="transformers " + attention, image_size=size, load=round(loading, 2), vision=vision,
                  first_token=statistics.median(first[1:]), tokens_per_second=round(statistics.median(speed[1:]), 2),
                  memory_gib=memory_gib(arguments.device))


def make_batch(model, arguments):
    config = model.config
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    patches = (side // patch) ** 2
    size = patches + arguments.text
    ids = torch.randint(5, config.text_config.vocab_size // 2, (arguments.batch, size))
    ids[:, :patches], ids[:, patches] = image_token(config), 2
    types = torch.zeros_like(ids)
    types[:, size - arguments.text // 2:] = 1
    batch = {"input_ids": ids, "token_type_ids": types, "attention_mask": torch.ones_like(ids),
             "labels": ids.masked_fill(types == 0, -100), "pixel_values": torch.rand(arguments.batch, 3, side, side) * 2 - 1}
    return {name: values.to(arguments.device) for name, values in batch.items()}


def add_lora(model):
    from peft import LoraConfig, get_peft_model
    targets = r".*language_model.*\.([qkvo]_proj|gate_proj|up_proj|down_proj)"
    return get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=targets))


def time_training(arguments, mode):
    release(arguments.device)
    torch.manual_seed(0)
    model = load(arguments, torch.float32 if mode == "full" else torch.bfloat16, "sdpa").train()
    batch = make_batch(model, arguments)
    if mode == "lora":
        model = add_lora(model)
        batch["pixel_values"] = batch["pixel_values"].to(torch.bfloat16)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, fused=arguments.device.startswith("cuda"))
    seconds, loss = [], None
    for _ in range(arguments.steps + 3):
        synchronize(arguments.device)
        start = time.perf_counter()
        with torch.autocast(arguments.device.split(":")[0], dtype=torch.bfloat16):
            loss = model(**copy.copy(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        synchronize(arguments.device)
        seconds.append(time.perf_counter() - start)
    step = statistics.median(seconds[3:])
    flops = workload.step_flops(workload.read_shape(arguments.model), mode, arguments.batch, arguments.text)
    workload.show(what="training", by="torch", mode=mode, batch=arguments.batch, text=arguments.text, step=round(step, 4),
                  rows_per_second=round(arguments.batch / step, 2), first_step=round(seconds[0], 2), steps=len(seconds),
                  tflops=round(flops / step / 1e12, 1), mfu=round(flops / step / 1e12 / arguments.peak, 4),
                  memory_gib=memory_gib(arguments.device), last=round(loss.item(), 4))


def attempt(what, function, *values):
    """One failure (no memory, a version without something) leaves the rest."""
    try:
        function(*values)
    except Exception as error:  # noqa: BLE001: whatever it is, it is shown
        workload.show(what=what, by="torch", failed=f"{type(error).__name__}: {error}"[:300], of=[str(v) for v in values[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--make", metavar="FOLDER")
    parser.add_argument("--shape", default="paligemma-3b")
    parser.add_argument("--tokenizer", help="with --make: folder whose tokenizer files are copied")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", default="224,448,896")
    parser.add_argument("--attention", default="sdpa,eager")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", default="lora,full")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--text", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--peak", type=float, default=989)
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    if arguments.make:
        workload.make_checkpoint(arguments.make, arguments.shape, arguments.tokenizer)
    elif arguments.model:
        for attention in filter(None, arguments.attention.split(",")):
            for size in filter(None, arguments.sizes.split(",")):
                attempt("answers", time_answers, arguments, int(size), attention)
        for mode in filter(None, arguments.train.split(",")):
            attempt("training", time_training, arguments, mode)
    else:
        parser.error("expected a model's folder, or --make")


if __name__ == "__main__":
    main()
