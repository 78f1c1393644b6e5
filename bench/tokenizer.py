#!/usr/bin/env python3
"""Times our tokenizer against the `tokenizers` Python package, on the same text in one thread.

    cmake --preset release -DPG_BENCH=ON && cmake --build build
    python3 bench/tokenizer.py build/bench_tokenizer tokenizer.json [--text FILE]

The package has to be installed (pip install tokenizers). Both must give as many tokens. Without --text, the texts of
tests/golden/tokenizer are taken, in a hundred languages, one behind the other.
"""

import argparse
import json
import lzma
import os
import pathlib
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "tokenizer" / "gemma_cases.jsonl.xz"


def golden_text():
    with lzma.open(GOLDEN, "rt", encoding="utf-8") as file:
        return "\n".join(json.loads(line)["text"] for line in file)


def time_package(path, text, seconds):
    from tokenizers import Tokenizer
    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(path)
    opening, best, end = time.perf_counter() - start, 1e9, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        best = min(best, time.perf_counter() - start)
    return {"open_ms": 1e3 * opening, "tokens": len(ids), "mb_per_s": len(text.encode()) / best / 1e6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench", help="the program bench_tokenizer")
    parser.add_argument("tokenizer", help="a tokenizer.json")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    text = arguments.text.read_bytes().decode() if arguments.text else golden_text()
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(text.encode())
        file.flush()
        command = [arguments.bench, arguments.tokenizer, file.name, str(arguments.seconds)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    theirs = time_package(arguments.tokenizer, text, arguments.seconds)
    if ours["tokens"] != theirs["tokens"]:
        raise SystemExit(f"{ours['tokens']} tokens, expected {theirs['tokens']}")
    print(f"{len(text.encode())} bytes, {ours['tokens']} tokens")
    for name, row in ("paligemma", ours), ("tokenizers", theirs):
        print(f"{name:11} opens in {row['open_ms']:7.1f} ms, encodes {row['mb_per_s']:6.2f} MB/s")
    print(f"encoding is {ours['mb_per_s'] / theirs['mb_per_s']:.1f} times as fast")


if __name__ == "__main__":
    main()
