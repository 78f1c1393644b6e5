#!/usr/bin/env python3
"""`paligemma serve` under load, and llama.cpp's server beside it: tables for docs/BENCHMARKS.md.

    run.py PALIGEMMA FOLDER [--peer PYTHON] [--streams 1 4 16 64] [--only mid|world]

FOLDER gets what is made: a Gemma of 290 million random numbers in bf16 and its GGUF (1.2 GB), and load, the client.
PYTHON is one that has xllamacpp. Python with numpy makes the model; README.md says what is measured.
"""
import argparse
import base64
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SLOTS = 64  # of both servers
CONTEXT = 512
SHARE = 0.8  # of what the slower server can do, in the open loop
ROUNDS = {1: 8, 4: 4, 16: 3, 64: 2}  # requests in the open loop, as a multiple of those at once
PATH = "/v1/completions"
WORDS = "red green blue small large old young round flat long short cold warm dark light near far left right".split()


# ------------------------------------------------------------------------------------------------ requests

class Bodies:
    """Requests that are all different, the same ones for each server."""

    def __init__(self, picture, tokens):
        self.picture, self.tokens, self.random = picture, tokens, random.Random(1)

    def make(self, count):
        return [self.one() for _ in range(count)]

    def one(self):
        words = " ".join(self.random.choice(WORDS) for _ in range(8))
        body = {"prompt": f"answer en {words}", "max_tokens": self.tokens, "min_tokens": self.tokens, "temperature": 0,
                "stream": True, "stream_options": {"include_usage": True}, "ignore_eos": True}
        if self.picture:  # of 8 x 8 pixels: what it takes to read does not count
            pixels = b"P6 8 8 255\n" + self.random.randbytes(192)
            body["image"] = "data:image/x-portable-pixmap;base64," + base64.b64encode(pixels).decode()
        return body


# ------------------------------------------------------------------------------------------------ answers

def chunks_of(raw, start):
    """(bytes, end in raw) of each chunk of a chunked body."""
    while True:
        line = raw.index(b"\r\n", start)
        size = int(raw[start:line].split(b";")[0], 16)
        if not size:
            return
        yield raw[line + 2:line + 2 + size], line + 2 + size
        start = line + 4 + size


def events_of(raw, reads):
    """(time, document) of each event of a stream."""
    head = raw.index(b"\r\n\r\n") + 4
    if b" 200 " not in raw[:20] or b"chunked" not in raw[:head].lower():
        raise SystemExit(f"run.py: no stream: {raw[:400]!r}")
    pending, read, seen = b"", iter(reads), 0
    for piece, end in chunks_of(raw, head):
        while seen < end:
            time, size = next(read)
            seen += size
        *whole, pending = (pending + piece).split(b"\n\n")
        for event in whole:
            if event.startswith(b"data: {"):
                yield time, json.loads(event[6:])


class Answer:
    def __init__(self, line, raw, tokens):
        self.sent, self.times, texts, self.tokens = line["sent"], [], [], tokens
        for time, document in events_of(raw, line["reads"]):
            if "error" in document:
                raise SystemExit(f"run.py: {document}")
            text = "".join(choice["text"] for choice in document["choices"])
            if text:
                self.times.append(time)
                texts.append(text)
            self.tokens = (document.get("usage") or {}).get("completion_tokens", self.tokens)
        self.text = "".join(texts)
        self.times = self.times or [line["ended"]]  # tokens of which none has a text


def quantiles(values, scale):
    values = sorted(values)
    return " / ".join(f"{values[round(q * (len(values) - 1))] * scale:.4g}" for q in (.5, .95, .99)) if values else "-"


class Result:
    """What one server made of one load."""

    def __init__(self, answers):
        self.answers = answers
        self.whole = max(a.times[-1] for a in answers) - min(a.sent for a in answers)
        self.speed = sum(a.tokens for a in answers) / self.whole

    def decode_speed(self):
        """Tokens a second while all streams run; None: they never did. An event may have several tokens."""
        start, end = max(a.times[0] for a in self.answers), min(a.times[-1] for a in self.answers)
        tokens = sum(a.tokens / len(a.times) for a in self.answers for time in a.times if start < time <= end)
        return tokens / (end - start) if end - start > 0.2 * self.whole else None

    def own_speed(self):
        """Tokens a second of an answer that has the server to itself."""
        return sum(a.tokens - 1 for a in self.answers) / sum(a.times[-1] - a.times[0] for a in self.answers)

    def cells(self):
        gaps = [b - a for answer in self.answers for a, b in zip(answer.times, answer.times[1:])]
        return f"{quantiles([a.times[0] - a.sent for a in self.answers], 1e3)} | {quantiles(gaps, 1e3)}"


# ------------------------------------------------------------------------------------------------ servers and loads

class Server:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.port = None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+:(\d+)$", line.strip()):
                self.port = found[1]
                break
        if not self.port:
            raise SystemExit(f"run.py: {name} does not start: {' '.join(map(str, command))}")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, load, bodies, rate=0, concurrent=1):
        text = "".join(json.dumps(body) + "\n" for body in bodies)
        done = subprocess.run([load, self.port, PATH, str(rate), str(concurrent)], input=text.encode(),
                              stdout=subprocess.PIPE, check=True)
        answers, at = [], 0
        for body in bodies:
            end = done.stdout.index(b"\n", at) + 1
            line = json.loads(done.stdout[at:end])
            at = end + line["size"]
            answers.append(Answer(line, done.stdout[end:at], body["max_tokens"]))
        return Result(answers)


def ours(arguments, name, model, slots, *more):
    limits = ["--np", slots, "--queue", 1000, "--connections", 1000, "-c", CONTEXT, "-t", arguments.threads]
    return Server(name, [arguments.paligemma, "serve", "-m", model, "--port", 0, "-q", *limits, *more])


def row(load, server, result, decode=None):
    print(f"| {load} | {server.name} | {result.speed:.4g} | {f'{decode:.4g}' if decode else ''} | {result.cells()} |",
          flush=True)


def head(title):
    print(f"\n{title}\n\n| load | server | tokens/s | decode tokens/s | first token p50 / p95 / p99, ms | "
          "between tokens p50 / p95 / p99, ms |\n|---|---|---|---|---|---|")


class Loads:
    """All loads on all servers, in turns."""

    def __init__(self, arguments, load, servers, alone, bodies):
        self.arguments, self.load, self.servers, self.alone, self.bodies = arguments, load, servers, alone, bodies
        self.asked, self.told, self.summary = [], {server.name: [] for server in servers}, []

    def keep(self, server, result):
        self.told[server.name] += [answer.text for answer in result.answers]

    def one_at_a_time(self):
        result = self.alone.ask(self.load, self.bodies.make(16))
        self.own, self.whole = result.own_speed(), result.speed
        row("16, one at a time", self.alone, result, self.own)

    def at_once(self, streams):
        bodies, slowest = self.bodies.make(max(streams, 4)), None
        self.asked += bodies
        for server in self.servers:
            result = server.ask(self.load, bodies, 0, streams)
            decode = result.own_speed() if streams == 1 else result.decode_speed()
            row(f"{streams} at once", server, result, decode)
            self.keep(server, result)
            slowest = min(slowest or result.speed, result.speed)
            if server is self.servers[0]:
                line = f"{streams} at once, beside one at a time: {result.speed / self.whole:.2f} times the tokens a second"
                self.summary.append(line + (f", {decode / self.own:.2f} times those of decoding" if decode else ""))
        return slowest / self.bodies.tokens

    def open_loop(self, streams, requests_a_second, name="open loop"):
        bodies = self.bodies.make(ROUNDS.get(streams, 3) * streams)
        self.asked += bodies
        for server in self.servers:
            result = server.ask(self.load, bodies, SHARE * requests_a_second)
            row(f"{streams}, {name}, {SHARE * requests_a_second:.3g} a second", server, result)
            self.keep(server, result)

    def run(self):
        for server in (self.alone, *self.servers):
            server.ask(self.load, self.bodies.make(2), 0, 2)  # memory is there afterwards
        self.one_at_a_time()
        for streams in self.arguments.streams:
            self.open_loop(streams, self.at_once(streams))

    def check(self):
        """Answers of the load against those that the same requests get alone, one at a time."""
        step = max(1, len(self.asked) // 48)
        alone = [answer.text for answer in self.alone.ask(self.load, self.asked[::step]).answers]
        for name, texts in self.told.items():
            same = sum(a == b for a, b in zip(texts[::step], alone))
            print(f"{name}: {same} of {len(alone)} answers are those that paligemma gives one at a time")
            if name == self.servers[0].name and same != len(alone):
                raise SystemExit("run.py: an answer differs from that which its request gets alone")
        print(*self.summary, sep="\n", flush=True)


def mid(arguments, load):
    model, gguf = arguments.folder / "mid", arguments.folder / "mid.gguf"
    if not gguf.exists():
        subprocess.run([sys.executable, ROOT / "tools/make_random_checkpoint.py", model, "--shape", "gemma-290m",
                        "--tokenizer", ROOT / "models/world"], check=True)
        subprocess.run([arguments.paligemma, "convert", "-m", model, "-o", gguf], check=True)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ours(arguments, "paligemma", model, SLOTS))]
        alone = stack.enter_context(ours(arguments, "paligemma --np 1", model, 1))
        if arguments.peer:
            peer = [arguments.peer, HERE / "peer.py", gguf, SLOTS, arguments.threads, CONTEXT]
            servers.append(stack.enter_context(Server("llama.cpp", peer)))
        head("Gemma, 290 million parameters in bf16, text, 32 tokens")
        loads = Loads(arguments, load, servers, alone, Bodies(False, 32))
        loads.run()
        loads.check()


@contextlib.contextmanager
def embedding_load(server, concurrent=4):
    """Asks for embeddings all the while, from `concurrent` clients; yields the count of those answered."""
    stop, counts = threading.Event(), [0] * concurrent

    def ask(index):
        while not stop.is_set():
            body = json.dumps({"input": [f"a picture of {counts[index]} {word}s" for word in WORDS]}).encode()
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/v1/embeddings", body,
                                                          {"Content-Type": "application/json"})).read()
            counts[index] += 1

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(concurrent)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def world(arguments, load):
    model = ROOT / "models/world"
    with contextlib.ExitStack() as stack:
        siglip = ["--siglip", ROOT / "models/world-siglip"]
        servers = [stack.enter_context(ours(arguments, "paligemma", model, SLOTS, *siglip))]
        alone = stack.enter_context(ours(arguments, "paligemma --np 1", model, 1))
        head("The model that ships, a new picture with each request, 128 tokens")
        loads = Loads(arguments, load, servers, alone, Bodies(True, 128))
        loads.run()
        rate = servers[0].ask(load, loads.bodies.make(64), 0, 16).speed / 128
        loads.open_loop(16, rate / 2, "open loop")
        with embedding_load(servers[0]) as counts:
            loads.open_loop(16, rate / 2, "open loop beside embeddings")
        print(f"{sum(counts)} requests of {len(WORDS)} texts were embedded meanwhile")
        loads.check()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("paligemma", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peer", type=pathlib.Path)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=["mid", "world"])
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with this
    arguments.folder.mkdir(parents=True, exist_ok=True)
    load = arguments.folder / "load"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", load, HERE / "load.c", "-lm"], check=True)
    for name, part in (("world", world), ("mid", mid)):
        if arguments.only in (None, name):
            part(arguments, load)


if __name__ == "__main__":
    main()
