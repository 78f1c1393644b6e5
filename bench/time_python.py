#!/usr/bin/env python3
"""From starting Python to the first caption, and a caption once all is warm, beside the program's.

    bench/time_python.py build [ROUNDS]      build: the folder with paligemma and libpaligemma.so
    bench/time_python.py build ROUNDS MODEL PICTURE [TOKENS [THREADS]]

The first prints medians in milliseconds, of a tiny model, so that what is not the model's work shows. The second lets a
Python that has the model open take turns with a program in C that has (build/bench_answers), each answering the same
request about the picture's file, and prints what Python adds: the median of the ratios of neighbours, by the clock and
by the processor's time, which other programs disturb less.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "inference"
MODEL, PICTURE = str(GOLDEN / "paligemma-tiny-f32" / "checkpoint"), str(GOLDEN / "images" / "cow.jpg")

PLAIN = "import paligemma, sys; print(paligemma.load(sys.argv[1]).caption(sys.argv[2]))"
WARM = """
import paligemma, statistics, sys, time
m, seconds = paligemma.load(sys.argv[1]), []
picture = paligemma.Picture(sys.argv[2])
for _ in range(30):
    start = time.perf_counter()
    answer = m.generate("caption en", picture)
    seconds.append(time.perf_counter() - start - sum(answer.timings[part] for part in ("first_token", "decode")))
print(statistics.median(seconds) * 1e3)
"""

TURNS = """
import paligemma, sys, time
m, picture, tokens = paligemma.load(sys.argv[1], threads=int(sys.argv[4])), sys.argv[2], int(sys.argv[3])
for _ in sys.stdin:
    start, worked = time.perf_counter(), time.process_time()
    m.caption(picture, min_new_tokens=tokens, max_new_tokens=tokens)
    print(time.perf_counter() - start, time.process_time() - worked, flush=True)
"""


def take_turns(build, environment, rounds, model, picture, tokens="20", threads="1"):
    """Seconds of each in turn: the first two of C and Python do not count."""
    programs = [subprocess.Popen([*command, model, picture, tokens, threads], env=environment, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                for command in ([build / "bench_answers"], [sys.executable, "-c", TURNS])]

    def ask(program):
        print(file=program.stdin, flush=True)
        return [float(seconds) for seconds in program.stdout.readline().split()]

    turns = [[ask(program) for program in programs] for _ in range(rounds + 1)][1:]
    for program in programs:
        program.communicate()
    for i, clock in enumerate(("by the clock", "of the processor")):
        c, python = (statistics.median(turn[who][i] for turn in turns) for who in (0, 1))
        ratio = statistics.median(turn[1][i] / turn[0][i] for turn in turns)
        print(f"ms {clock:16}  C {c * 1e3:9.2f}  Python {python * 1e3:9.2f}  added {100 * (ratio - 1):5.2f} %")
    print(f"{rounds} pairs, answers of {tokens} tokens")


def main():
    build, rounds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 11
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PALIGEMMA_LIBRARY": str(build / "libpaligemma.so")}
    if len(sys.argv) > 3:
        take_turns(build, environment, rounds, *sys.argv[3:])
        return

    def run(*command):
        start = time.perf_counter()
        out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
        return (time.perf_counter() - start) * 1e3, out

    cases = {
        "the program's first caption": [build / "paligemma", "caption", "-m", MODEL, PICTURE],
        "Python's first caption": [sys.executable, "-c", PLAIN, MODEL, PICTURE],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    times = {name: [] for name in cases}
    for _ in range(rounds):
        for name, command in cases.items():
            times[name].append(run(*command)[0])
    for name, values in times.items():
        print(f"{name:32} {statistics.median(values):8.1f} ms")
    print(f"{'a warm answer, beside the model':32} {float(run(sys.executable, '-c', WARM, MODEL, PICTURE)[1]):8.2f} ms")


if __name__ == "__main__":
    main()
