"""What ours.py and peers.py both do: the model, the rows, the work that a step or an answer takes.

Rows of training have as many tokens of text as --text says, the second half of which is scored, behind the picture's.
"""
import json
import pathlib
import sys

PROMPT_TOKENS = 12  # behind a picture, as in `paligemma bench`

for folder in (".", "../../tools"):
    sys.path.append(str(pathlib.Path(__file__).resolve().parent / folder))


def make_checkpoint(folder, shape="paligemma-3b", tokenizer=None, image_size=224):
    """tools/make_random_checkpoint.py's checkpoint in bf16, its numbers drawn by torch: seconds instead of a minute."""
    import shutil
    import make_random_checkpoint as maker
    import numpy
    import torch
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def write_weights(path, tensors, *_):
        torch.manual_seed(0)
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        for name, size, _, _ in tensors:
            end = offset + 2 * int(numpy.prod(size))
            header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [offset, end]}
            offset = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 4096 - 8)
        with open(path, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, size, mean, deviation in tensors:
                values = torch.randn(size, dtype=torch.bfloat16, device=device) * deviation + mean
                values.cpu().view(torch.int16).numpy().tofile(file)

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = maker.SHAPES[shape]
    maker.write_configs(folder, parts, image_size, "bf16")
    for name in maker.TOKENIZER_FILES if tokenizer else ():
        if (pathlib.Path(tokenizer) / name).exists():
            shutil.copy(pathlib.Path(tokenizer) / name, folder / name)
    write_weights(folder / "model.safetensors", maker.all_tensors(parts, image_size))


def make_rows(folder, size, text_tokens, count=64):
    """Pictures of noise at the model's size and texts of that many tokens: " the" is one for Gemma."""
    import numpy
    from PIL import Image
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(0)
    answer = text_tokens // 2
    prompt = text_tokens - answer
    with open(folder / "rows.jsonl", "w") as rows:
        for index in range(count):
            name = f"{index}.png"
            Image.fromarray(random.integers(0, 255, (size, size, 3), numpy.uint8)).save(folder / name)
            # <bos> and the newline belong to the prompt, <eos> to the answer.
            rows.write(json.dumps({"image": name, "prefix": " ".join(["the"] * (prompt - 2)),
                                   "suffix": " ".join(["the"] * (answer - 1))}) + "\n")
    return folder / "rows.jsonl"


def read_shape(model):
    """Sizes of config.json, and how many weights the products of a patch, of a token and of a logit row have."""
    config = json.loads((pathlib.Path(model) / "config.json").read_text())
    text, vision = config["text_config"], config["vision_config"]
    width, head = text["hidden_size"], text["head_dim"]
    queries, keys = text["num_attention_heads"] * head, text["num_key_value_heads"] * head
    seen = vision["hidden_size"]
    return {
        "patch": vision["patch_size"], "image_size": vision["image_size"],
        "vision_layers": vision["num_hidden_layers"], "vision_width": seen,
        "text_layers": text["num_hidden_layers"], "queries": queries,
        "per_patch": vision["num_hidden_layers"] * (4 * seen * seen + 2 * seen * vision["intermediate_size"])
        + 3 * vision["patch_size"] ** 2 * seen + seen * width,
        "per_token": text["num_hidden_layers"] * (2 * width * queries + 2 * width * keys
                                                  + 3 * width * text["intermediate_size"]),
        "per_logits": width * text["vocab_size"],
    }


def step_flops(shape, mode, batch, text_tokens):
    """Floating point operations that a step needs. Full: every product forward, for its input and for its weight. LoRA on
    the decoder: the tower forward only, the decoder without the gradients of its weights. Logits only where something
    is scored; attention over all of the row, as the prompt sees all of itself."""
    patches = (shape["image_size"] // shape["patch"]) ** 2
    tokens = patches + text_tokens
    seen, read = (3, 3) if mode == "full" else (1, 2)
    attention_read = 3  # keys, queries and values are activations: both gradients are needed
    vision = 2 * patches * shape["per_patch"] + 4 * shape["vision_layers"] * patches ** 2 * shape["vision_width"]
    text = 2 * tokens * shape["per_token"]
    attention = 4 * shape["text_layers"] * tokens ** 2 * shape["queries"]
    logits = 2 * (text_tokens // 2) * shape["per_logits"]
    return batch * (seen * vision + read * (text + logits) + attention_read * attention)


def show(**figures):
    print(json.dumps(figures), flush=True)


def table(path):
    """The lines of both programs as Markdown, for docs/BENCHMARKS.md."""
    lines = [json.loads(line) for line in open(path) if line.startswith("{")]
    print("| picture | by | vision, ms | first token, ms | tokens/s | memory, GiB |\n|---|---|---|---|---|---|")
    for line in lines:
        if line["what"] == "answers" and "failed" not in line:
            print(f"| {line['image_size']} | {line['by']} | {1e3 * line['vision']:.1f} | {1e3 * line['first_token']:.1f} | "
                  f"{line['tokens_per_second']:.1f} | {line['memory_gib']} |")
    print("\n| training | by | step, s | rows/s | TFLOP/s | of the peak | memory, GiB |\n|---|---|---|---|---|---|---|")
    for line in lines:
        if line["what"] == "training" and "failed" not in line:
            print(f"| {line['mode']} | {line['by']} | {line['step']} | {line['rows_per_second']} | {line['tflops']} | "
                  f"{100 * line['mfu']:.1f} % | {line['memory_gib']} |")
    for line in lines:
        if "failed" in line:
            print(f"\nfailed: {json.dumps(line)}")


if __name__ == "__main__":
    table(sys.argv[1])
