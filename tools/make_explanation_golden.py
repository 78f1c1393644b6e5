#!/usr/bin/env python3
"""Makes tests/golden/explanation: where torch says that answers of tiny models come from.

    python tools/make_explanation_golden.py tests/golden/explanation

Needs torch, transformers and safetensors. The models, pictures and prompts are those of tests/golden/inference, run by
transformers with attn_implementation="eager". Attentions A are what its attention modules return, [heads, rows, keys];
their gradients are torch's, of one logit (of SigLIP: of the cosine of picture and text). Whole matrices are multiplied,
in float64:

    rollout    R = product over the layers, from the last, of (mean over heads of A + 1) / 2
    gradient   R = 1; for each layer from the first: R += (mean over heads of max(A dA, 0)) R
    attention  mean over heads of A, last layer

`METHOD` [tokens, patches] is the row of the position that predicts each token at the columns of the picture's tokens,
`METHOD_tower` the same times the vision tower's R; both divided by their sum. `METHOD_share` [tokens]: what all columns
of pictures have, as a part of all columns but the position's own. Of SigLIP, `similarity` [texts, patches] are cosines of
each patch alone through the pooling head, and the other arrays begin with the probe's attention.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration, SiglipModel

TOKENS = 8  # of an answer
INFERENCE = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/inference"


class Watched:
    """The attentions of modules as they run, first to last."""

    def __init__(self, modules):
        self.attentions = []
        for module in modules:
            module.register_forward_hook(self.keep)

    def keep(self, module, arguments, output):
        weights = output[1]
        if weights.requires_grad:
            weights.retain_grad()
        self.attentions.append(weights)

    def plain(self):
        return [a.detach()[0].double().mean(0) for a in self.attentions]

    def by_gradient(self):
        return [(a.detach()[0].double() * a.grad[0].double()).clamp(min=0).mean(0) for a in self.attentions]

    def clear(self):
        for a in self.attentions:
            a.grad = None


def rollout(attentions):
    result = torch.eye(attentions[0].shape[0], dtype=torch.float64)
    for a in attentions:
        result = (a + torch.eye(len(a), dtype=torch.float64)) / 2 @ result
    return result


def relevance(attentions):
    result = torch.eye(attentions[0].shape[0], dtype=torch.float64)
    for a in attentions:
        result = result + a @ result
    return result


def unit(rows):
    return (rows / rows.sum(-1, keepdim=True)).float()


def add(arrays, name, rows, own, columns, tower=None):
    """rows [n, T]: of the positions `own`."""
    rows = rows.clone()
    rows[torch.arange(len(own)), own] = 0
    arrays[f"{name}_share"] = (rows[:, columns].sum(-1) / rows.sum(-1)).float()
    arrays[name] = unit(rows[:, columns])
    if tower is not None:
        arrays[f"{name}_tower"] = unit(rows[:, columns] @ tower)


def pixels_of(arrays, picture):
    given = arrays.get(f"image.{picture}.pixel_values")
    if given is not None:
        return given[None]
    resized = arrays[f"image.{picture}.resized"]
    return ((resized.float() / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]


def stack(rows):
    return torch.stack(list(rows))


def paligemma(folder, number, facts):
    arrays = load_file(folder / "expected.safetensors")
    expected = json.loads((folder / "expected.json").read_text())
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder / "checkpoint", attn_implementation="eager")
    model.eval()
    decoder = Watched([layer.self_attn for layer in model.language_model.layers])
    tower = Watched([layer.self_attn for layer in model.vision_tower.vision_model.encoder.layers])
    prompt, answer = arrays[f"prompt.{number:02}.input_ids"], arrays[f"prompt.{number:02}.generated"][:TOKENS]
    ids = torch.cat([prompt, answer])[None]
    types = torch.cat([torch.zeros_like(prompt), torch.ones_like(answer)])[None]
    picture = expected["prompts"][number]["images"][0]
    logits = model(input_ids=ids, pixel_values=pixels_of(arrays, picture), attention_mask=torch.ones_like(ids),
                   token_type_ids=types, labels=ids).logits[0]
    own = torch.arange(len(answer)) + len(prompt) - 1
    assert logits[own].argmax(-1).equal(answer), "this is not the answer of the inference goldens"
    columns = (prompt == model.config.image_token_index).nonzero()[:, 0]
    out = {"tokens": answer}
    add(out, "rollout", rollout(decoder.plain())[own], own, columns, rollout(tower.plain()))
    add(out, "attention", decoder.plain()[-1][own], own, columns)
    maps, towers = [], []
    for row, token in zip(own, answer):
        decoder.clear(), tower.clear()
        logits[row, token].backward(retain_graph=True)
        maps.append(relevance(decoder.by_gradient())[row])
        towers.append(relevance(tower.by_gradient()))
    add(out, "gradient", stack(maps), own, columns)
    out["gradient_tower"] = unit(stack(m[columns] @ t for m, t in zip(maps, towers)))
    facts[folder.name] = {"prompt": number, "picture": picture}
    return out


def siglip(folder, facts):
    arrays = load_file(folder / "expected.safetensors")
    expected = json.loads((folder / "expected.json").read_text())
    model = SiglipModel.from_pretrained(folder / "checkpoint", attn_implementation="eager").eval()
    vision, picture = model.vision_model, "cow.jpg"
    tower = Watched([layer.self_attn for layer in vision.encoder.layers])
    texts, embedded = expected["texts"], arrays["text_embeds"]
    embedded = embedded / embedded.norm(dim=-1, keepdim=True)
    hidden = vision(pixels_of(arrays, picture)).last_hidden_state
    hidden.retain_grad()
    alone = vision.head(hidden[0][:, None])
    out = {"similarity": (embedded @ (alone / alone.norm(dim=-1, keepdim=True)).T).detach()}
    # the head by hand: torch's MultiheadAttention does not hand out what could take gradients
    head, heads = vision.head, vision.config.num_attention_heads
    q, k, v = (torch.nn.functional.linear(x, w, b).unflatten(-1, (heads, -1)).transpose(-2, -3) for x, w, b in zip(
        (head.probe[0], hidden[0], hidden[0]), head.attention.in_proj_weight.chunk(3), head.attention.in_proj_bias.chunk(3)))
    probe = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)  # [heads, 1, P]
    probe.retain_grad()
    x = head.attention.out_proj((probe @ v).transpose(0, 1).flatten(1))
    pooled = x + head.mlp(head.layernorm(x))
    assert torch.allclose(pooled, head(hidden), atol=1e-5)
    out["attention"] = unit(probe.detach().double().mean(0))
    out["rollout_tower"] = unit(probe.detach().double().mean(0) @ rollout(tower.plain()))
    maps, towers = [], []
    for row in embedded:
        tower.clear()
        probe.grad = None
        (row @ pooled[0] / pooled.norm()).backward(retain_graph=True)
        maps.append((probe.detach() * probe.grad).double().clamp(min=0).mean(0)[0])
        towers.append(relevance(tower.by_gradient()))
    out["gradient"] = unit(stack(maps))
    out["gradient_tower"] = unit(stack(m @ t for m, t in zip(maps, towers)))
    facts[folder.name] = {"texts": texts, "picture": picture}
    return out


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    facts = {}
    for name, number in ("paligemma-tiny-f32", 0), ("paligemma-tiny-sharded", 1):
        save_file(paligemma(INFERENCE / name, number, facts), out / f"{name}.safetensors")
    save_file(siglip(INFERENCE / "siglip-tiny", facts), out / "siglip-tiny.safetensors")
    (out / "cases.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
