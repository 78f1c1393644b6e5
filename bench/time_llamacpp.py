#!/usr/bin/env python3
"""Times llama.cpp (through llama-cpp-python) on the decoder of a PaliGemma or Gemma checkpoint; one JSON line, in the
words of `paligemma bench --json`.

    time_llamacpp.py make CHECKPOINT FOLDER [--types bf16 q8_0 q4_0]
    time_llamacpp.py time FILE.gguf [--prompt-tokens 268] [--new-tokens 32] [--repeat 3] [--threads N]

`make` writes the decoder's weights (safetensors in bf16) as FOLDER/bf16.gguf and has llama.cpp quantise it; the
vocabulary's pieces are numbers, as no text is needed. llama.cpp does not run PaliGemma's picture part, so `time` gives a
prompt of as many random tokens as picture and text make together. Times are medians in seconds, one warm-up request is
not counted. Needs llama-cpp-python, gguf and numpy.
"""
import argparse
import ctypes
import itertools
import json
import os
import pathlib
import resource
import statistics
import time

import numpy as np

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


# ---------------------------------------------------------------- make

def read_tensors(path):
    """Name, shape and the bf16 values as 16-bit numbers, mapped."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    data = np.memmap(path, np.uint8, mode="r", offset=8 + length)
    for name, entry in header.items():
        if entry["dtype"] != "BF16":
            raise SystemExit(f"{path}: {name}: found {entry['dtype']}, expected BF16")
        begin, end = entry["data_offsets"]
        yield name, entry["shape"], data[begin:end].view(np.uint16)


def published_to_gguf(name):
    """llama.cpp's name of a tensor of the decoder; None for all others."""
    for prefix in ("language_model.model.", "model."):
        if name.startswith(prefix):
            name = name[len(prefix):].removesuffix(".weight")
            break
    else:
        return None
    if name in ("embed_tokens", "norm"):
        return {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[name]
    _, layer, part = name.split(".", 2)
    return f"blk.{layer}.{NAMES[part]}.weight"


def add_tokenizer(writer, count):
    """Numbers as pieces; control tokens and bytes where llama.cpp looks for them."""
    import gguf
    texts = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN] + [gguf.TokenType.BYTE] * 256
    texts += [f"piece{i}" for i in range(len(texts), count)]
    kinds += [gguf.TokenType.NORMAL] * (count - len(kinds))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(texts)
    writer.add_token_scores([-float(i) for i in range(count)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)


def write_bf16(checkpoint, path):
    import gguf
    config = json.loads((checkpoint / "config.json").read_text())
    text = config.get("text_config", config)
    writer = gguf.GGUFWriter(str(path), "gemma")
    writer.add_context_length(8192)
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(text.get("head_dim", 256))
    writer.add_value_length(text.get("head_dim", 256))
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    tensors = []
    files = sorted(checkpoint.glob("*.safetensors"))
    for published, shape, values in itertools.chain.from_iterable(map(read_tensors, files)):
        name = published_to_gguf(published)
        if name == "token_embd.weight":
            add_tokenizer(writer, shape[0])
        if name and len(shape) == 1:  # a norm: f32, and not 0 but 1 where nothing changes
            values = (values.astype(np.uint32) << 16).view(np.float32) + 1
            writer.add_tensor_info(name, shape, values.dtype, values.nbytes)
        elif name:
            writer.add_tensor_info(name, [shape[0], 2 * shape[1]], np.dtype(np.uint8), values.nbytes,
                                   raw_dtype=gguf.GGMLQuantizationType.BF16)
        if name:
            tensors.append(values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for values in tensors:
        writer.write_tensor_data(values)
    writer.close()


def make(arguments):
    import llama_cpp
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source = arguments.folder / "bf16.gguf"
    if not source.exists():
        write_bf16(arguments.checkpoint, source.with_suffix(".part"))
        source.with_suffix(".part").rename(source)
    kinds = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}
    for kind in set(arguments.types) & set(kinds):
        target = arguments.folder / f"{kind}.gguf"
        if target.exists():
            continue
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = kinds[kind]
        part = str(target.with_suffix(".part")).encode()
        if llama_cpp.llama_model_quantize(str(source).encode(), part, ctypes.byref(parameters)) != 0:
            raise SystemExit(f"{target}: llama.cpp could not quantise it")
        os.rename(part.decode(), target)


# ---------------------------------------------------------------- time

class Engine:
    """llama.cpp itself, without what the binding does in Python around it."""

    def __init__(self, arguments):
        import llama_cpp as api
        self.api = api
        self.log = api.llama_log_callback(lambda level, text, user: None)
        api.llama_log_set(self.log, ctypes.c_void_p(0))
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(str(arguments.file).encode(), api.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{arguments.file}: llama.cpp cannot load it")
        parameters = api.llama_context_default_params()
        parameters.n_ctx = arguments.prompt_tokens + arguments.new_tokens + 8
        parameters.n_batch = parameters.n_ubatch = max(512, arguments.prompt_tokens)
        parameters.n_threads = parameters.n_threads_batch = arguments.threads
        self.context = api.llama_init_from_model(self.model, parameters)
        self.vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))

    def forget(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def next_token(self, tokens):
        """The best token behind these."""
        array = (self.api.llama_token * len(tokens))(*tokens)
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(array, len(tokens))) != 0:
            raise SystemExit("llama_decode failed")
        logits = self.api.llama_get_logits_ith(self.context, -1)
        return int(np.ctypeslib.as_array(logits, (self.vocabulary,)).argmax())


def answer(engine, prompt, new_tokens):
    """Seconds of the prompt and of the answer."""
    engine.forget()
    start = time.perf_counter()
    token = engine.next_token(prompt)
    first = time.perf_counter()
    for _ in range(new_tokens):
        token = engine.next_token([token])
    return first - start, time.perf_counter() - first


def run(arguments):
    start = time.perf_counter()
    engine = Engine(arguments)
    loaded = time.perf_counter() - start
    random = np.random.default_rng(1)
    prompt = [2, *random.integers(300, engine.vocabulary, arguments.prompt_tokens - 1).tolist()]
    first_answer = loaded + answer(engine, prompt, 1)[0]
    times = [answer(engine, prompt, arguments.new_tokens) for _ in range(arguments.repeat)]
    prefill, decode = (statistics.median(part) for part in zip(*times))
    print(json.dumps({
        "prompt_tokens": arguments.prompt_tokens,
        "new_tokens": arguments.new_tokens,
        "compute": arguments.file.stem,
        "threads": arguments.threads,
        "load": loaded,
        "first_answer": first_answer,
        "prefill": prefill,
        "tokens_per_second": arguments.new_tokens / decode,
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make")
    maker.add_argument("checkpoint", type=pathlib.Path)
    maker.add_argument("folder", type=pathlib.Path)
    maker.add_argument("--types", nargs="+", choices=["bf16", "q8_0", "q4_0"], default=["bf16", "q8_0", "q4_0"])
    timer = commands.add_parser("time")
    timer.add_argument("file", type=pathlib.Path)
    timer.add_argument("--prompt-tokens", type=int, default=268)
    timer.add_argument("--new-tokens", type=int, default=32)
    timer.add_argument("--repeat", type=int, default=3)
    timer.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    make(arguments) if arguments.command == "make" else run(arguments)


if __name__ == "__main__":
    main()
