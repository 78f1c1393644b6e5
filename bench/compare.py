#!/usr/bin/env python3
"""Lets this program and its peers take turns on the same shapes and prints medians and ratios as Markdown, ready for
docs/BENCHMARKS.md. tools/compare.sh makes ready what it needs.

    compare.py --out FILE.jsonl --program build/paligemma --model CHECKPOINT [--int8 CHECKPOINT] [--int4 CHECKPOINT]
               [--gguf FOLDER] [--transformers bf16 f32] [--sizes 224 448 896] [--rounds 5] [--new-tokens 32]
               [--threads N] [--once]
    compare.py --out FILE.jsonl --tables

A turn is a process of its own: it loads, answers once to warm up, and then once on the clock; with --once (for pictures
that take minutes) its first answer counts. Its files are read before it, so that they are in memory. In every round each
program has one turn, beginning with another one each time, because shared machines change their speed from minute to
minute; so ratios are taken within a round. llama.cpp, which has the text part alone, runs at 224 px.

Every turn is kept in FILE as a JSON line. The tables are of all that are there, so several runs add up, and one that was
interrupted is not lost: a ratio takes the rounds that have both of its turns. --tables prints them without running anything.
"""
import argparse
import datetime
import json
import mmap
import multiprocessing
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TEXT_TOKENS = 12
PATCH = 14
LLAMA_SIZE = 224
FIGURES = ["vision", "prefill", "first_token", "tokens_per_second"]

# (what, figure, ours, peer): ratios below 1 are faster where the figure is a time, above 1 where it is a speed.
RATIOS = [
    ("decode bf16 : transformers", "tokens_per_second", "paligemma bf16", "transformers bf16"),
    ("decode bf16 : transformers f32", "tokens_per_second", "paligemma bf16", "transformers f32"),
    ("decode bf16 : llama.cpp", "tokens_per_second", "paligemma bf16", "llama.cpp bf16"),
    ("decode int8 : llama.cpp q8_0", "tokens_per_second", "paligemma int8", "llama.cpp q8_0"),
    ("decode int4 : llama.cpp q4_0", "tokens_per_second", "paligemma int4", "llama.cpp q4_0"),
    ("prompt bf16 : llama.cpp", "prefill", "paligemma bf16", "llama.cpp bf16"),
    ("prompt int8 : llama.cpp q8_0", "prefill", "paligemma int8", "llama.cpp q8_0"),
    ("first token bf16 : transformers", "first_token", "paligemma bf16", "transformers bf16"),
    ("first token int8 : transformers bf16", "first_token", "paligemma int8", "transformers bf16"),
    ("first token int4 : transformers bf16", "first_token", "paligemma int4", "transformers bf16"),
    ("first token bf16 : transformers f32", "first_token", "paligemma bf16", "transformers f32"),
    ("first token int8 : transformers f32", "first_token", "paligemma int8", "transformers f32"),
    ("vision bf16 : transformers", "vision", "paligemma bf16", "transformers bf16"),
    ("vision bf16 : transformers f32", "vision", "paligemma bf16", "transformers f32"),
    ("vision int8 : transformers bf16", "vision", "paligemma int8", "transformers bf16"),
]


# ---------------------------------------------------------------- turns

def flatten(result):
    """The medians of what `paligemma bench --json` prints."""
    return {key: value["median"] if isinstance(value, dict) and "median" in value else value
            for key, value in result.items()}


def programs(arguments, size):
    """Name -> what it reads, and the command, of everything that runs this shape."""
    text = (size // PATCH) ** 2 + TEXT_TOKENS
    common = ["--repeat", "1", "--new-tokens", str(arguments.new_tokens), "--threads", str(arguments.threads)]
    once = ["--once"] if arguments.once else []
    shape = ["--image-size", str(size), "--prompt-tokens", str(TEXT_TOKENS), *common, *once]
    models = {"bf16": arguments.model, "int8": arguments.int8, "int4": arguments.int4}
    found = {}
    for kind, model in models.items():
        if model:
            found[f"paligemma {kind}"] = model, [str(arguments.program), "bench", "-m", str(model), "--json", *shape]
    for dtype in arguments.transformers:
        script = [sys.executable, str(HERE / "time_transformers.py"), str(arguments.model), "--dtype", dtype]
        found[f"transformers {dtype}"] = arguments.model, [*script, *shape]
    for file in sorted(arguments.gguf.glob("*.gguf")) if arguments.gguf and size == LLAMA_SIZE else ():
        script = [sys.executable, str(HERE / "time_llamacpp.py"), "time", str(file)]
        found[f"llama.cpp {file.stem}"] = file, [*script, "--prompt-tokens", str(text), *common]
    return found


def bring_into_memory(path):
    """Reads the weights, a file or all of a checkpoint's, into the page cache: into huge pages where there are such."""
    for file in sorted(path.glob("*.safetensors")) if path.is_dir() else [path]:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as pages:
            if hasattr(mmap, "MADV_HUGEPAGE"):
                pages.madvise(mmap.MADV_HUGEPAGE)
            for at in range(0, len(pages), mmap.PAGESIZE):
                pages[at]


def take_turn(weights, command):
    # In a process of its own: what this one has ever had in memory counts as its children's, too.
    reader = multiprocessing.Process(target=bring_into_memory, args=(weights,))
    reader.start()
    reader.join()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return flatten(json.loads(done.stdout.splitlines()[-1]))


def compete(arguments, size, first, out):
    """Rounds number `first` and following, a line for each turn."""
    contestants = programs(arguments, size)
    names = list(contestants)
    for number in range(first, first + arguments.rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            print(f"{size} px, round {number + 1}: {name}", file=sys.stderr, flush=True)
            line = {"program": name, "size": size, "round": number, "commit": commit(), "once": arguments.once,
                    "day": str(datetime.date.today()), "load_average": os.getloadavg()[0]}
            line.update(take_turn(*contestants[name]))
            print(json.dumps(line), file=out, flush=True)


def read_turns(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# ---------------------------------------------------------------- tables

def spread(values, digits=3):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def print_times(results):
    print(row(["program", "turns", "vision, s", "prompt, s", "first token, s", "tokens/s", "peak memory, GB",
               "beyond the weights, MB"]))
    print(row(["---"] * 8))
    for name, rounds in results.items():
        turns = list(rounds.values())
        cells = [spread([t[f] for t in turns], 2 if f == "tokens_per_second" else 3) if f in turns[0] else ""
                 for f in FIGURES]
        beyond = [t["private_memory"] for t in turns if "private_memory" in t]
        print(row([name, str(len(turns)), *cells, f"{statistics.median(t['peak_memory'] for t in turns) / 1e9:.2f}",
                   f"{statistics.median(beyond) / 1e6:.0f}" if beyond else ""]))
    print()


def print_shares(results):
    parts = ("vision", "prefill", "decode")
    print(row(["share of what the machine could do in the same minutes", "vision", "prompt", "decode",
               "arithmetic, Gop/s", "memory, GB/s"]))
    print(row(["---"] * 6))
    for name, rounds in results.items():
        if name.startswith("paligemma"):
            shares = [spread([t["roofline_share"][part] for t in rounds.values()], 2) for part in parts]
            limits = [spread([t["roofline"][part] for t in rounds.values()], 0) for part in parts[1:]]
            print(row([name, *shares, *limits]))
    print()


def print_ratios(results):
    print(row(["ratio, within a round", "rounds", "median", "lowest", "highest"]))
    print(row(["---"] * 5))
    for what, figure, ours, peer in RATIOS:
        a, b = results.get(ours, {}), results.get(peer, {})
        ratios = [a[number][figure] / b[number][figure] for number in a if number in b and figure in b[number]]
        if ratios:
            values = statistics.median(ratios), min(ratios), max(ratios)
            print(row([what, str(len(ratios)), *(f"{value:.2f}" for value in values)]))
    print()


def print_growth(by_size):
    """Time per operation as the picture grows, against the smallest picture: 1 where time is proportional to work."""
    smallest = min(by_size)
    print(row(["first token", "image tokens", "Gop", "s", "time per operation : that of the smallest"]))
    print(row(["---"] * 5))
    for name in by_size[smallest]:
        cost = {}
        for size, results in sorted(by_size.items()):
            turns = list(results.get(name, {}).values())
            if not turns or "work" not in turns[0]:
                continue
            work = turns[0]["work"]["vision"] + turns[0]["work"]["prefill"]
            seconds = statistics.median(t["first_token"] for t in turns)
            cost[size] = seconds / work
            print(row([name, str((size // PATCH) ** 2), f"{work / 1e9:.0f}", f"{seconds:.2f}",
                       f"{cost[size] / cost[min(cost)]:.2f}"]))
    print()


def print_tables(turns):
    days, commits = (sorted({t[key] for t in turns}) for key in ("day", "commit"))
    print(f"### {', '.join(days)}, {', '.join(commits)}\n\n{machine()}; threads: {turns[0]['threads']}; {versions()}; "
          f"medians (smallest-largest).\n")
    by_size = {}
    for turn in turns:
        by_size.setdefault(turn["size"], {}).setdefault(turn["program"], {})[turn["round"]] = turn
    for size, results in sorted(by_size.items()):
        answers = sorted({t["new_tokens"] for t in turns if t["size"] == size})
        first = ", first answers" if any(t["once"] for t in turns if t["size"] == size) else ""
        print(f"#### {size} px: prompt of {(size // PATCH) ** 2 + TEXT_TOKENS} tokens, "
              f"answer of {', '.join(map(str, answers))}{first}\n")
        print_times(results)
        print_shares(results)
        print_ratios(results)
    print_growth(by_size)


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
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--int8", type=pathlib.Path)
    parser.add_argument("--int4", type=pathlib.Path)
    parser.add_argument("--gguf", type=pathlib.Path)
    parser.add_argument("--transformers", nargs="+", choices=["bf16", "f32"], default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 448, 896])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    if not arguments.tables and not (arguments.program and arguments.model):
        parser.error("--program and --model are needed, or --tables")
    rounds = {}
    for turn in read_turns(arguments.out):
        rounds[turn["size"]] = max(rounds.get(turn["size"], 0), turn["round"] + 1)
    try:
        with arguments.out.open("a") as out:
            for size in [] if arguments.tables else arguments.sizes:
                compete(arguments, size, rounds.get(size, 0), out)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    turns = read_turns(arguments.out)
    if turns:
        print_tables(turns)


if __name__ == "__main__":
    main()
