#!/usr/bin/env python3
"""Times PaliGemma in transformers on this CPU; one JSON line, in the words of `paligemma bench --json`.

    time_transformers.py MODEL [--image-size N] [--prompt-tokens 12] [--new-tokens 32] [--repeat 3] [--threads N]
                               [--dtype bf16|f32] [--once]

Random pixels and tokens, greedy answers, one warm-up request that is not counted; with --once the first request, unwarmed,
is the only one. Another picture size than the model's gets random positions. Times are medians in seconds (vision: tower and
projector, as a part of the first token), memory in bytes. Needs torch and transformers.
"""
import argparse
import json
import os
import resource
import statistics
import time

import torch
from transformers import AutoConfig, PaliGemmaForConditionalGeneration
from transformers.utils import logging

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}


class TokenTimes:
    """A streamer that notes when each token comes; the prompt comes first."""

    def __init__(self):
        self.times = []

    def put(self, _):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def load(arguments):
    config = AutoConfig.from_pretrained(arguments.model)
    patches = (arguments.image_size // config.vision_config.patch_size) ** 2 if arguments.image_size else None
    if patches:
        config.vision_config.image_size = arguments.image_size
        config.vision_config.num_image_tokens = config.text_config.num_image_tokens = patches
    model = PaliGemmaForConditionalGeneration.from_pretrained(arguments.model, config=config,
                                                              dtype=DTYPES[arguments.dtype],
                                                              ignore_mismatched_sizes=True).eval()
    model.generation_config.eos_token_id = None
    return model


def make_input(model, arguments):
    config = model.config
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    random = torch.Generator().manual_seed(1)
    words = torch.randint(3, config.text_config.vocab_size // 2, (1, arguments.prompt_tokens - 1), generator=random)
    image = torch.full((1, (side // patch) ** 2), config.image_token_index)
    ids = torch.cat([image, torch.tensor([[config.bos_token_id]]), words], dim=1)
    pixels = torch.rand(1, 3, side, side, generator=random) * 2 - 1
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels.to(model.dtype)}


class Stopwatch:
    """Calls of a function, with the seconds that the last one took."""

    def __init__(self, function):
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments, **named):
        start = time.perf_counter()
        result = self.function(*arguments, **named)
        self.seconds = time.perf_counter() - start
        return result


def answer(model, request, new_tokens):
    """Seconds of vision, to the first token, and from the first to the last."""
    clock, start = TokenTimes(), time.perf_counter()
    model.generate(**request, max_new_tokens=new_tokens + 1, min_new_tokens=new_tokens + 1, do_sample=False,
                   streamer=clock)
    return model.model.get_image_features.seconds, clock.times[1] - start, clock.times[-1] - clock.times[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--prompt-tokens", type=int, default=12)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        start = time.perf_counter()
        model = load(arguments)
        loaded = time.perf_counter() - start
        model.model.get_image_features = Stopwatch(model.model.get_image_features)
        request = make_input(model, arguments)
        times = [answer(model, request, arguments.new_tokens if arguments.once else 1)]
        first_answer = loaded + times[0][1]
        if not arguments.once:
            times = [answer(model, request, arguments.new_tokens) for _ in range(arguments.repeat)]
    vision, first, decode = (statistics.median(part) for part in zip(*times))
    print(json.dumps({
        "image_size": model.config.vision_config.image_size,
        "prompt_tokens": request["input_ids"].shape[1],
        "new_tokens": arguments.new_tokens,
        "compute": arguments.dtype,
        "threads": arguments.threads,
        "load": loaded,
        "first_answer": first_answer,
        "vision": vision,
        "first_token": first,
        "tokens_per_second": arguments.new_tokens / decode,
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
