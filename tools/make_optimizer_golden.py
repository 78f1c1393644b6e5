#!/usr/bin/env python3
"""Makes tests/golden/training-optimizers: steps of torch's and transformers' optimizers on small random tensors.

    python tools/make_optimizer_golden.py tests/golden/training-optimizers

Needs torch, transformers and safetensors. For each case NAME of cases.json, NAME.safetensors holds `start.T`, `grad.I.T`
(what step I gets) and `value.I.T` (what it makes of tensor T); `norm` is the length of the gradient before clipping.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers.optimization import Adafactor

STEPS = 6
SHAPES = {"matrix": (5, 67), "vector": (37,), "tall": (70, 3)}
BASE = 1e-2
WARM, TOTAL = 2, 10


def rate(i):
    """The schedule of the training references: warm-up, then cosine."""
    if i < WARM:
        return BASE * i / WARM
    return BASE / 2 * (1 + torch.cos(torch.tensor(torch.pi * (i - WARM) / (TOTAL - WARM), dtype=torch.float64)).item())


class Muon:
    """torch's Muon for matrices, its AdamW for the rest."""

    def __init__(self, parameters, decay):
        matrices = [p for p in parameters if p.dim() == 2]
        self.parts = [torch.optim.Muon(matrices, lr=BASE, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
                      torch.optim.AdamW([p for p in parameters if p.dim() != 2], lr=BASE, weight_decay=decay)]
        self.param_groups = [self]

    def __setitem__(self, key, value):
        for part in self.parts:
            part.param_groups[0][key] = value

    def step(self):
        bfloat16, torch.bfloat16 = torch.bfloat16, torch.float32  # so that products are not rounded
        for part in self.parts:
            part.step()
        torch.bfloat16 = bfloat16


CASES = {
    "adamw": (dict(kind="adamw", decay=0.1, clip=1.0),
              lambda p: torch.optim.AdamW(p, lr=BASE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)),
    "adamw-plain": (dict(kind="adamw", decay=0.0, clip=0.0, beta1=0.8, beta2=0.95, epsilon=1e-4),
                    lambda p: torch.optim.AdamW(p, lr=BASE, betas=(0.8, 0.95), eps=1e-4, weight_decay=0)),
    "sgd": (dict(kind="sgd", decay=0.0, clip=0.0), lambda p: torch.optim.SGD(p, lr=BASE)),
    "sgd-momentum": (dict(kind="sgd", decay=0.05, clip=1.0, momentum=0.9),
                     lambda p: torch.optim.SGD(p, lr=BASE, momentum=0.9, weight_decay=0.05)),
    "muon": (dict(kind="muon", decay=0.1, clip=1.0), lambda p: Muon(p, 0.1)),
    "adafactor": (dict(kind="adafactor", decay=0.1, clip=0.0, relative_scale=True),
                  lambda p: Adafactor(p, lr=BASE, scale_parameter=True, relative_step=False, weight_decay=0.1)),
    "adafactor-plain": (dict(kind="adafactor", decay=0.0, clip=1.0, relative_scale=False),
                        lambda p: Adafactor(p, lr=BASE, scale_parameter=False, relative_step=False)),
    "adafactor-relative": (dict(kind="adafactor", decay=0.0, clip=0.0, relative_scale=True, relative_step=True),
                           lambda p: Adafactor(p, lr=None, scale_parameter=True, relative_step=True)),
}


def run(name, settings, make, out):
    random = torch.Generator().manual_seed(len(name))
    tensors = {key: torch.randn(shape, generator=random) * 0.2 for key, shape in SHAPES.items()}
    arrays = {f"start.{key}": value.clone() for key, value in tensors.items()}
    parameters = {key: torch.nn.Parameter(value) for key, value in tensors.items()}
    optimizer = make(list(parameters.values()))
    norms, rates = [], []
    for i in range(STEPS):
        rates.append(1.0 if settings.get("relative_step") else rate(i))
        if not settings.get("relative_step"):
            optimizer.param_groups[0]["lr"] = rates[-1]
        for key, parameter in parameters.items():
            grad = torch.randn(parameter.shape, generator=random) * torch.rand(parameter.shape, generator=random) ** 3
            arrays[f"grad.{i}.{key}"] = grad.clone()
            parameter.grad = grad
        norms.append(torch.nn.utils.clip_grad_norm_(list(parameters.values()), settings["clip"] or 1e30).item())
        optimizer.step()
        for key, parameter in parameters.items():
            arrays[f"value.{i}.{key}"] = parameter.detach().clone()
    save_file(arrays, out / f"{name}.safetensors")
    return {**settings, "rates": rates, "norms": norms}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    facts = {name: run(name, settings, make, out) for name, (settings, make) in CASES.items()}
    (out / "cases.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
