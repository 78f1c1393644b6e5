#!/usr/bin/env python3
"""`paligemma serve` under all the load that fits, for long: requests of every kind from more clients than it has places
for, some of whom leave, with adapters and feedback, reloads meanwhile. Every answer is the one that its request gets
alone; none is lost; memory comes to rest.

    serve_soak_test.py PALIGEMMA [SECONDS]       (10)
"""
import collections
import http.client
import json
import pathlib
import random
import signal
import struct
import sys
import tempfile
import threading
import time

from serve_test import (COW, GOLDEN, MODEL, SIGLIP, Server, chat, command_line, data_url, form, wait_until,
                        with_picture)

CLIENTS = 24
LILY = GOLDEN / "inference/images/lily.jpg"
WHAT_COUNTS = ("choices", "objects", "data", "labels", "caption", "parts", "responses")
JUDGED = {"prompt": "caption en", "answer": "a dog", "judgement": "down"}


def write_adapter(folder):
    """A LoRA adapter of random numbers for the decoder's queries."""
    chance, rank, header, data = random.Random(1), 2, {}, b""
    text = json.loads((MODEL / "config.json").read_text())["text_config"]
    width, size = text["hidden_size"], text["num_attention_heads"] * text["head_dim"]
    for layer in range(text["num_hidden_layers"]):
        for part, shape in (("A", [rank, width]), ("B", [size, rank])):
            numbers = [chance.gauss(0, 0.5) for _ in range(shape[0] * shape[1])]
            values = struct.pack(f"<{len(numbers)}f", *numbers)
            name = f"base_model.model.model.language_model.layers.{layer}.self_attn.q_proj.lora_{part}.weight"
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
            data += values
    names = json.dumps(header).encode()
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(names)) + names + data)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": rank,
                                                            "target_modules": r".*language_model.*q_proj"}))


def kinds():
    """(path, body as it is sent, its type) of requests whose answers are the same each time."""
    plain = []
    for i in range(12):
        picture = COW if i % 2 else LILY
        more = {"max_tokens": 4 + 5 * i, "temperature": i % 3 / 2, "seed": i}
        more["model"] = "tuned" if i % 4 == 1 else "tiny"
        plain.append(("/v1/chat/completions", chat(with_picture(f"caption en {i}", picture), **more)))
        plain.append(("/v1/chat/completions", chat("answer en what?", stream=True, n=1 + i % 3, **more)))
        plain.append(("/v1/completions", {"prompt": f"text {i}", "logprobs": i % 4, **more}))
        plain.append(("/v1/detect", {"image": data_url(picture), "labels": "cat" if i % 2 else "a cow ; cat",
                                     "max_objects": 3}))
        plain.append(("/v1/embeddings", {"input": [f"text {k}" for k in range(i + 1)] + [data_url(picture)]}))
        plain.append(("/v1/classify", {"image": data_url(picture), "labels": ["cow", "lily"]}))
    plain.append(("/v1/classify", {"image": data_url(COW), "labels": ["yes", "no"], "prompt": "a cow?",
                                   "model": "tiny"}))
    plain.append(("/v1/chat/completions", chat(with_picture("detect cow"), response_format={"type": "json_object"})))
    plain.append(("/v1/explain", {"image": data_url(COW), "prompt": "caption en", "answer": "a cow"}))
    plain.append(("/v1/batch", {"requests": [{"custom_id": "a", "url": "/v1/caption",
                                              "body": {"image": data_url(COW), "max_tokens": 5, "temperature": 0}}]}))
    sent = [(path, json.dumps(body).encode(), "application/json") for path, body in plain]
    body, headers = form([("image", ("cow.jpg", COW.read_bytes())), ("language", "en"), ("temperature", "0")])
    return sent + [("/v1/caption", body, headers["Content-Type"])]


def essence(content, streamed):
    """What is the same each time: texts, boxes, numbers; no ids and times."""
    if not streamed:
        answer = json.loads(content)
        for response in answer.get("responses", ()):
            response["body"] = essence(json.dumps(response["body"]), False)
            response.pop("id", None)
        return [answer.get(name) for name in WHAT_COUNTS]
    texts, ends = collections.defaultdict(str), {}
    events = content.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""], events[-3:]
    for event in events[:-2]:
        for choice in json.loads(event[len("data: "):])["choices"]:
            texts[choice["index"]] += choice["delta"].get("content", "")
            ends[choice["index"]] = choice["finish_reason"]
    return [dict(texts), ends]


class Soak:
    def __init__(self, server, requests):
        self.server, self.requests = server, requests
        self.streamed = [b'"stream": true' in body for _, body, _ in requests]
        self.counts = collections.Counter()
        self.problems, self.lock, self.acknowledged = [], threading.Lock(), []
        self.expected = [essence(self.ask(i), self.streamed[i]) for i in range(len(requests))]

    def ask(self, index):
        path, body, kind = self.requests[index]
        while True:
            status, _, content = self.server.raw("POST", path, body, {"Content-Type": kind})
            if status != 429 and b'"status":429' not in content:  # of a batch
                assert status == 200, (path, status, content[:300])
                return content
            self.count("turned away")
            time.sleep(0.02)

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def check(self, index):
        found = essence(self.ask(index), self.streamed[index])
        assert found == self.expected[index], (self.requests[index][0], found, self.expected[index])
        self.count("answers compared")

    def leave(self, index, chance):
        """Asks, reads a little, and goes."""
        path, body, kind = self.requests[index]
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": kind})
        if chance.random() < 0.5:
            connection.getresponse().read(20)
        connection.close()
        self.count("clients that left")

    def judge(self, name):
        self.server.post("/v1/feedback", dict(JUDGED, request=name))
        self.count("judgements")
        with self.lock:
            self.acknowledged.append(name)

    def client(self, number, end):
        chance = random.Random(number)
        while time.monotonic() < end and not self.problems:
            index, turn = chance.randrange(len(self.requests)), chance.random()
            try:
                if turn < 0.08:
                    self.leave(index, chance)
                elif turn < 0.1:
                    self.judge(f"{number}-{time.monotonic()}")
                else:
                    self.check(index)
            except Exception as problem:  # whatever it is, it is what this looks for
                self.problems.append(repr(problem)[:2000])

    def run(self, seconds):
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.client, args=(i, end)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        memory = []
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(5, seconds / 4))
            memory.append(self.server.memory()[0])
            if time.monotonic() < end:
                self.server.process.send_signal(signal.SIGHUP)
                self.count("reloads")
        for thread in threads:
            thread.join()
        assert not self.problems, "\n".join(self.problems)
        return memory


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        adapter, judged = pathlib.Path(folder, "adapter"), pathlib.Path(folder, "judged.db")
        write_adapter(adapter)
        models = ["--name", "tiny", "--siglip", SIGLIP, "--siglip-name", "siglip", "--adapter", f"tuned={adapter}"]
        with Server(*models, "-np", "8", "--queue", "12", "--feedback", judged, "-t", "2") as server:
            soak = Soak(server, kinds())
            memory = soak.run(seconds)
            wait_until(server.is_idle, 60)
        rows = command_line("feedback", "list", judged, "--json").splitlines()
        lost = set(soak.acknowledged) - {json.loads(row)["request"] for row in rows}
        assert not lost, lost
        for name, count in sorted(soak.counts.items()):
            print(f"{count} {name}")
        print(f"resident: {memory[len(memory) // 4]:.0f} MB after a quarter, {memory[-1]:.0f} MB at the end")


if __name__ == "__main__":
    main()
