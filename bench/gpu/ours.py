#!/usr/bin/env python3
"""Times paligemma on a GPU: a line of JSON for each picture size and each kind of training.

    ours.py MODEL [--program paligemma] [--device cuda] [--sizes 224,448,896] [--new-tokens 64] [--rounds 5]
                  [--train lora,full] [--batch 8] [--text 32] [--seconds 20] [--work FOLDER] [--peak 989]

Answers are `paligemma bench`. Training runs for so many seconds and is then ended; the figure is the median of its
steps after three. --peak: what the chip is said to do in bf16, 10^12 operations a second. Memory is what nvidia-smi says,
at the most. peers.py times the same work in torch.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

import workload


class Memory:
    """The most memory of the GPU that was in use between enter and exit, less what was before."""

    def __enter__(self):
        self.most, self.done = 0, threading.Event()
        self.before = self.used()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.gib = round(max(0, self.most - self.before) / 1024, 2)

    @staticmethod
    def used():
        command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        try:
            return int(subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.split()[0])
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
            return 0

    def watch(self):
        while not self.done.wait(0.2):
            self.most = max(self.most, self.used())


def time_answers(arguments, size):
    command = [arguments.program, "bench", "-m", arguments.model, "--device", arguments.device, "--image-size", str(size),
               "-n", str(arguments.new_tokens), "-r", str(arguments.rounds), "--json"]
    with Memory() as memory:
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        workload.show(what="answers", image_size=size, failed=done.stderr.strip()[-300:])
        return
    bench = json.loads(done.stdout)
    median = lambda value: value["median"] if isinstance(value, dict) and "median" in value else value
    workload.show(what="answers", by="paligemma", image_size=size, load=median(bench["load"]),
                  vision=median(bench["vision"].get("seconds", bench["vision"])), first_token=median(bench["first_token"]),
                  tokens_per_second=median(bench["tokens_per_second"]), memory_gib=memory.gib)


def step_times(command, seconds, log):
    """When each step's line came, until the time is over or the program ends."""
    times, lines, began = [], [], time.perf_counter()
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        killer = threading.Timer(seconds, process.kill)  # a program that is ended this way saves nothing
        killer.start()
        for line in process.stdout:
            if '"loss"' in line:
                times.append(time.perf_counter() - began)
                lines.append(line)
        process.wait()
        killer.cancel()
    return times, lines


def time_training(arguments, mode):
    shape = workload.read_shape(arguments.model)
    work = pathlib.Path(arguments.work or tempfile.mkdtemp())
    rows = workload.make_rows(work / "rows", shape["image_size"], arguments.text)
    run = work / mode
    shutil.rmtree(run, ignore_errors=True)
    command = [arguments.program, "train", "-m", arguments.model, "--out", str(run), "--data", str(rows), "--train", mode,
               "--batch", str(arguments.batch), "--steps", "100000", "--device", arguments.device, "--compute", "bf16",
               "--learning-rate", "1e-6", "--warmup", "100", "--log-every", "1", "--save-every", "0", "--json",
               "--loader-threads", "4"]
    if mode == "lora":
        command += ["--lora-rank", "8", "--lora-dropout", "0"]
    with Memory() as memory:
        times, lines = step_times(command, arguments.seconds, work / f"{mode}.log")
    if len(times) < 5:
        workload.show(what="training", mode=mode, failed=(work / f"{mode}.log").read_text()[-300:], steps=len(times))
        return
    step = statistics.median(after - before for before, after in zip(times[3:], times[4:]))
    flops = workload.step_flops(shape, mode, arguments.batch, arguments.text)
    workload.show(what="training", by="paligemma", mode=mode, batch=arguments.batch, text=arguments.text, step=round(step, 4),
                  rows_per_second=round(arguments.batch / step, 2), first_step=round(times[0], 2), steps=len(times),
                  tflops=round(flops / step / 1e12, 1), mfu=round(flops / step / 1e12 / arguments.peak, 4),
                  memory_gib=memory.gib, last=json.loads(lines[-1]).get("loss"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--program", default="paligemma")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", default="224,448,896")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", default="lora,full")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--text", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--work")
    parser.add_argument("--peak", type=float, default=989)
    arguments = parser.parse_args()
    for size in filter(None, arguments.sizes.split(",")):
        time_answers(arguments, int(size))
    for mode in filter(None, arguments.train.split(",")):
        time_training(arguments, mode)


if __name__ == "__main__":
    main()
