#!/usr/bin/env python3
"""Lets this program and its peers take turns on the same shapes and prints medians and ratios as Markdown, ready for
docs/BENCHMARKS.md. tools/compare.sh makes ready what it needs.

    compare.py --program build/paligemma --model CHECKPOINT [--int8 CHECKPOINT] [--int4 CHECKPOINT] [--gguf FOLDER]
               [--transformers] [--sizes 224 448 896] [--rounds 5] [--new-tokens 32] [--threads N] [--out FILE.jsonl]

A turn is a process of its own: it loads, answers once to warm up, and then once on the clock. In every round each
program has one turn per shape, beginning with another one each time, because shared machines change their speed from
minute to minute; so ratios are taken within a round. --out keeps every turn as a JSON line.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TEXT_TOKENS = 12
PATCH = 14
FIGURES = ["vision", "prefill", "first_token", "tokens_per_second"]

# (what, figure, ours, peer): ratios below 1 are faster where the figure is a time, above 1 where it is a speed.
RATIOS = [
    ("decode bf16 : transformers", "tokens_per_second", "paligemma bf16", "transformers bf16"),
    ("decode bf16 : llama.cpp", "tokens_per_second", "paligemma bf16", "llama.cpp bf16"),
    ("decode int8 : llama.cpp q8_0", "tokens_per_second", "paligemma int8", "llama.cpp q8_0"),
    ("decode int4 : llama.cpp q4_0", "tokens_per_second", "paligemma int4", "llama.cpp q4_0"),
    ("prompt bf16 : llama.cpp", "prefill", "paligemma bf16", "llama.cpp bf16"),
    ("prompt int8 : llama.cpp q8_0", "prefill", "paligemma int8", "llama.cpp q8_0"),
    ("first token bf16 : transformers", "first_token", "paligemma bf16", "transformers bf16"),
    ("first token int8 : transformers bf16", "first_token", "paligemma int8", "transformers bf16"),
    ("vision bf16 : transformers", "vision", "paligemma bf16", "transformers bf16"),
]


# ---------------------------------------------------------------- turns

def flatten(result):
    """The medians of what `paligemma bench --json` prints."""
    return {key: value["median"] if isinstance(value, dict) and "median" in value else value
            for key, value in result.items()}


def programs(arguments, size):
    """Name -> command of everything that runs this shape."""
    common = ["--new-tokens", str(arguments.new_tokens), "--threads", str(arguments.threads)]
    models = {"bf16": arguments.model, "int8": arguments.int8, "int4": arguments.int4}
    found = {}
    for kind, model in models.items():
        if model:
            found[f"paligemma {kind}"] = [str(arguments.program), "bench", "-m", str(model), "--json", "--repeat", "1",
                                          "--image-size", str(size), "--prompt-tokens", str(TEXT_TOKENS), *common]
    if arguments.transformers:
        found["transformers bf16"] = [sys.executable, str(HERE / "time_transformers.py"), str(arguments.model),
                                      "--repeat", "1", "--image-size", str(size), "--prompt-tokens", str(TEXT_TOKENS),
                                      *common]
    for file in sorted(arguments.gguf.glob("*.gguf")) if arguments.gguf and size == arguments.sizes[0] else ():
        tokens = (size // PATCH) ** 2 + TEXT_TOKENS
        found[f"llama.cpp {file.stem}"] = [sys.executable, str(HERE / "time_llamacpp.py"), "time", str(file),
                                           "--repeat", "1", "--prompt-tokens", str(tokens), *common]
    return found


def take_turn(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return flatten(json.loads(done.stdout.splitlines()[-1]))


def compete(arguments, size, out):
    """Name -> one result per round."""
    contestants = programs(arguments, size)
    results = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(arguments.rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            print(f"{size} px, round {number + 1}: {name}", file=sys.stderr, flush=True)
            result = take_turn(contestants[name])
            results[name].append(result)
            if out:
                line = {"program": name, "size": size, "round": number, "load": os.getloadavg()[0], **result}
                print(json.dumps(line), file=out, flush=True)
    return results


# ---------------------------------------------------------------- tables

def spread(values, digits=3):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def print_times(results):
    print(row(["program", "vision (s)", "prompt (s)", "first token (s)", "tokens/s", "peak memory (GB)"]))
    print(row(["---"] * 6))
    for name, rounds in results.items():
        cells = [spread([r[f] for r in rounds], 2 if f == "tokens_per_second" else 3) if f in rounds[0] else ""
                 for f in FIGURES]
        print(row([name, *cells, f"{statistics.median(r['peak_memory'] for r in rounds) / 1e9:.2f}"]))
    print()


def print_shares(results):
    ours = {name: rounds for name, rounds in results.items() if name.startswith("paligemma")}
    print(row(["share of the roofline", "vision", "prompt", "decode"]))
    print(row(["---"] * 4))
    for name, rounds in ours.items():
        shares = [r["roofline_share"] for r in rounds]
        print(row([name, *(spread([s[part] for s in shares], 2) for part in ("vision", "prefill", "decode"))]))
    print()


def print_ratios(results):
    print(row(["ratio", "median", "lowest", "highest"]))
    print(row(["---"] * 4))
    for what, figure, ours, peer in RATIOS:
        if ours in results and peer in results and figure in results[peer][0]:
            ratios = [a[figure] / b[figure] for a, b in zip(results[ours], results[peer])]
            print(row([what, *(f"{value:.2f}" for value in (statistics.median(ratios), min(ratios), max(ratios)))]))
    print()


def machine():
    cpu = "unknown processor"
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return f"{cpu}, {len(os.sched_getaffinity(0))} CPUs, {gigabytes:.0f} GB, Linux {platform.release()}"


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def versions():
    from importlib import metadata
    names = []
    for package in ("torch", "transformers", "llama-cpp-python"):
        try:
            names.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            pass
    return ", ".join(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--int8", type=pathlib.Path)
    parser.add_argument("--int4", type=pathlib.Path)
    parser.add_argument("--gguf", type=pathlib.Path)
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 448, 896])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    print(f"### {datetime.date.today()}, {commit()}\n\n{machine()}; threads: {arguments.threads}; {versions()}; "
          f"medians (smallest-largest) of {arguments.rounds} rounds.\n")
    out = arguments.out.open("a") if arguments.out else None
    for size in arguments.sizes:
        results = compete(arguments, size, out)
        tokens = (size // PATCH) ** 2 + TEXT_TOKENS
        print(f"#### {size} px: prompt of {tokens} tokens, answer of {arguments.new_tokens}\n")
        print_times(results)
        print_shares(results)
        print_ratios(results)


if __name__ == "__main__":
    main()
