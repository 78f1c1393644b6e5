#!/usr/bin/env python3
"""Asks a running `paligemma serve` what its clients ask, and what nobody should: answers, streams, limits, keys, signals.

    serve_test.py PALIGEMMA [NAME...]        all tests, or those whose names contain one of the words
"""
import base64
import http.client
import http.server
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
MODEL = GOLDEN / "inference/paligemma-tiny-f32/checkpoint"
SIGLIP = GOLDEN / "inference/siglip-tiny/checkpoint"
ADAPTED = GOLDEN / "training/checkpoints/paligemma"
ADAPTER = GOLDEN / "training/paligemma-lora/both/adapter_trained"
CODEC = GOLDEN.parent.parent / "models/world/mask_codec.npz"
COW = GOLDEN / "inference/images/cow.jpg"
KEY = "a key of more than 16 letters"


def data_url(path):
    return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()


def wait_until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)


class Server:
    """`paligemma serve` for the time of a test."""

    def __init__(self, *options, model=MODEL):
        command = [PROGRAM, "serve", "-m", model, "--port", "0", "-t", "1", *options]
        self.process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
        self.log, self.port = [], None
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()
        for _ in range(600):
            if self.port or self.process.poll() is not None:
                break
            time.sleep(0.1)
        assert self.port, self.log

    def read_log(self):
        for line in self.process.stderr:
            found = re.match(r"paligemma: serving at http://\S+:(\d+)$", line)
            if found:
                self.port = int(found[1])
            else:
                self.log.append(line)

    def lines(self):
        return [json.loads(line) for line in self.log if line.startswith("{")]

    def memory(self):
        """Megabytes that the server has in memory, and its threads."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            found = dict(line.split(":") for line in file)
        return int(found["VmRSS"].split()[0]) / 1024, int(found["Threads"])

    def is_idle(self):
        scheduler = json.loads(self.get("/v1/figures")[2])["scheduler"]
        return scheduler["running"] == scheduler["waiting"] == scheduler["sequences_used"] == 0

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.end()
        assert code == 0, (code, self.log)

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), content

    def get(self, path, **headers):
        return self.raw("GET", path, headers=headers)

    def post(self, path, body, status=200, **headers):
        headers.setdefault("Content-Type", "application/json")
        found, _, content = self.raw("POST", path, json.dumps(body), headers)
        assert found == status, (path, found, content)
        return json.loads(content)

    def stream(self, path, body):
        status, headers, content = self.raw("POST", path, json.dumps(dict(body, stream=True)),
                                            {"Content-Type": "application/json"})
        assert status == 200 and headers["content-type"] == "text/event-stream", (status, content)
        events = content.decode().split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""], events
        return [json.loads(event[len("data: "):]) for event in events[:-2]]


def command_line(*words):
    return subprocess.run([str(word) for word in (PROGRAM, *words)], check=True, capture_output=True, text=True).stdout


def chat(content, **more):
    return dict({"messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0}, **more)


def with_picture(text, path=COW):
    return [{"type": "image_url", "image_url": {"url": data_url(path)}}, {"type": "text", "text": text}]


# ------------------------------------------------------------------------------------------------ answers


def test_chat(server):
    expected = json.loads(command_line("generate", "-m", MODEL, "--image", COW, "-p", "caption en", "--temperature", "0",
                                       "--max-new-tokens", "12", "--json", "-t", "1"))
    answer = server.post("/v1/chat/completions", chat(with_picture("caption en"), logprobs=True, top_logprobs=2))
    choice = answer["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": expected["text"], "refusal": None}
    assert choice["finish_reason"] == expected["finish_reason"]
    assert answer["object"] == "chat.completion" and answer["id"].startswith("chatcmpl-")
    usage = answer["usage"]
    assert usage["completion_tokens"] == len(expected["tokens"]), (usage, expected)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    tokens = choice["logprobs"]["content"]
    assert len(tokens) == usage["completion_tokens"]
    for token in tokens:
        assert token["logprob"] <= 0 and len(token["top_logprobs"]) == 2
        assert abs(token["top_logprobs"][0]["logprob"] - token["logprob"]) < 1e-4  # greedy: the best is the chosen one
    assert answer["warnings"] == []


def test_chat_warnings(server):
    body = chat("caption en", tools=[{"type": "function"}], tool_choice="auto", colour="red", presence_penalty=0,
                frequency_penalty=1, best_of=1)
    body["messages"] = [{"role": "system", "content": "You are kind."}, *body["messages"],
                        {"role": "assistant", "content": "A"}]
    warnings = server.post("/v1/chat/completions", body)["warnings"]
    assert warnings == ['"tools" is ignored', '"tool_choice" is ignored', '"colour" is unknown and ignored',
                        '"frequency_penalty" is ignored',
                        "message 0 (system) is ignored: only the last user message counts",
                        "message 2 (assistant) is ignored: only the last user message counts"], warnings
    many = server.post("/v1/chat/completions", chat("caption en", max_tokens=1, **{f"n{i}": 0 for i in range(1000)}))
    assert len(many["warnings"]) == 33 and "more to warn of" in many["warnings"][-1], many


def test_chat_stream(server):
    body = chat(with_picture("caption en"), n=2, stream_options={"include_usage": True})
    whole = server.post("/v1/chat/completions", dict(body, stream=False))
    events = server.stream("/v1/chat/completions", body)
    assert [event["choices"][0]["delta"] for event in events[:2]] == [{"role": "assistant", "content": ""}] * 2
    assert events[-1]["choices"] == [] and events[-1]["usage"] == whole["usage"]
    for index in range(2):
        deltas = [c for event in events for c in event["choices"] if c["index"] == index]
        text = "".join(c["delta"].get("content", "") for c in deltas)
        assert text == whole["choices"][index]["message"]["content"], text
        assert deltas[-1]["finish_reason"] == whole["choices"][index]["finish_reason"]
    assert len({event["id"] for event in events}) == 1


def test_completion_stream(server):
    """Its warnings come first, in a piece without text, where there are any."""
    body = {"prompt": "caption en", "max_tokens": 4, "temperature": 0, "n": 2}
    whole = server.post("/v1/completions", body)
    plain = server.stream("/v1/completions", body)
    warned = server.stream("/v1/completions", dict(body, colour="red"))
    assert not any("warnings" in event for event in plain + warned[1:]), (plain, warned)
    assert warned[0]["warnings"] == ['"colour" is unknown and ignored'], warned[0]
    assert [(c["index"], c["text"], c["finish_reason"]) for c in warned[0]["choices"]] == [(0, "", None)], warned[0]
    for index, choice in enumerate(whole["choices"]):
        for events in (plain, warned):
            text = "".join(c["text"] for event in events for c in event["choices"] if c["index"] == index)
            assert text == choice["text"], (text, choice)


def test_sampling(server):
    body = chat(with_picture("caption en"), temperature=1.5, seed=7, n=3)
    texts = [c["message"]["content"] for c in server.post("/v1/chat/completions", body)["choices"]]
    again = [c["message"]["content"] for c in server.post("/v1/chat/completions", body)["choices"]]
    second = server.post("/v1/chat/completions", dict(body, seed=8, n=1))["choices"][0]["message"]["content"]
    assert texts == again and texts[1] == second and len(set(texts)) > 1, (texts, again, second)


def test_stop(server):
    whole = server.post("/v1/completions", {"prompt": "caption en", "image": data_url(COW), "max_tokens": 12,
                                            "temperature": 0, "logprobs": 1})
    text, logprobs = whole["choices"][0]["text"], whole["choices"][0]["logprobs"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"])
    stop = text[len(text) // 2]
    cut = server.post("/v1/completions", {"prompt": ["caption en"], "image": [data_url(COW)], "max_tokens": 12,
                                          "temperature": 0, "stop": [stop, "never"]})["choices"][0]
    assert cut["text"] == text[:text.index(stop)] and cut["finish_reason"] == "stop", (text, cut)
    for stops in (["x"] * 17, ["x" * 257]):
        assert server.post("/v1/completions", {"prompt": "a", "stop": stops}, 400)["error"]["code"] == "too_large"


def test_objects(server):
    expected = json.loads(command_line("detect", "-m", MODEL, COW, "cat ; a cow", "--json", "-t", "1"))
    found = server.post("/v1/detect", {"image": data_url(COW), "labels": "cat ; a cow"})
    assert (found["width"], found["height"], found["text"]) == (240, 168, expected["text"])
    assert [o["label"] for o in found["objects"]] == [o["label"] for o in expected["objects"]]
    for mine, theirs in zip(found["objects"], expected["objects"]):
        assert all(abs(a - b) < 1e-3 for a, b in zip(mine["box"] + [mine["score"]], theirs["box"] + [theirs["score"]]))
    listed = server.post("/v1/detect", {"image": data_url(COW), "labels": ["cat", "a cow"]})
    assert listed["objects"] == found["objects"]
    masked = server.post("/v1/segment", {"image": data_url(COW), "labels": ["cow"], "max_objects": 1})
    assert len(masked["objects"][0]["codes"]) == 16 and "mask" not in masked["objects"][0]  # the model has no codec
    schema = {"type": "json_schema", "json_schema": {"name": "objects", "schema": {
        "type": "object", "properties": {"objects": {"type": "array"}}}}}
    answer = server.post("/v1/chat/completions", chat(with_picture("detect cat ; a cow"), response_format=schema))
    assert json.loads(answer["choices"][0]["message"]["content"])["objects"] == found["objects"]
    assert answer["warnings"] == [f'"{name}" is ignored with "response_format"'
                                  for name in ("temperature", "max_tokens")], answer
    schema["json_schema"]["schema"]["properties"] = {"colour": {"type": "string"}}
    server.post("/v1/chat/completions", chat(with_picture("detect cat"), response_format=schema), 400)
    server.post("/v1/chat/completions", chat(with_picture("caption en"), response_format={"type": "json_object"}), 400)


def test_siglip(server):
    rows = server.post("/v1/embeddings", {"input": ["a cow", {"image": data_url(COW)}, data_url(COW)]})["data"]
    text, picture, again = (row["embedding"] for row in rows)
    assert picture == again and abs(sum(x * x for x in text) - 1) < 1e-4
    packed = server.post("/v1/embeddings", {"input": "a cow", "encoding_format": "base64"})["data"][0]["embedding"]
    unpacked = struct.unpack(f"<{len(text)}f", base64.b64decode(packed))
    assert all(abs(a - b) < 1e-6 for a, b in zip(unpacked, text))
    labels = server.post("/v1/classify", {"image": data_url(COW), "labels": "cow ; lily"})["labels"]
    line = json.loads(command_line("classify", "-m", SIGLIP, COW, "--labels", "cow,lily", "--json", "-t", "1"))
    scores = {label["label"]: label["score"] for label in labels}
    for label in line["labels"]:
        assert abs(scores[label["label"]] - label["score"]) < 1e-5, (scores, line)
    warned = server.post("/v1/classify", {"image": data_url(COW), "labels": "cow ; lily", "prompt": "what is it",
                                          "model": "checkpoint"})
    assert warned["labels"] == labels and len(warned["warnings"]) == 1 and '"prompt" is ignored' in warned["warnings"][0]
    many = {"image": data_url(COW), "labels": [f"l{i}" for i in range(2000)], "templates": ["{}", "a {}", "the {}"]}
    assert server.post("/v1/classify", many, 400)["error"]["code"] == "too_large"
    texts = [f"text {i}" for i in range(70)]
    assert [row["embedding"] for row in server.post("/v1/embeddings", {"input": texts})["data"]][69] == server.post(
        "/v1/embeddings", {"input": texts[69]})["data"][0]["embedding"]
    asked = server.post("/v1/classify", {"image": data_url(COW), "labels": ["cow", "lily"], "prompt": "what is it",
                                         "model": "tiny", "templates": ["a {}"], "softmax": True})
    assert abs(sum(label["score"] for label in asked["labels"]) - 1) < 1e-6
    assert [line.split()[0] for line in asked["warnings"]] == ['"templates"', '"softmax"'], asked


def test_cut_texts(server):
    """What SigLIP does not read of a text is counted as little as it is read."""
    inputs = ["a cow", "cow " * 1000]
    one, both = (server.post("/v1/embeddings", {"input": some}) for some in (inputs[:1], inputs))
    assert one["warnings"] == [] and both["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"] + 63, both["usage"]
    (line,) = both["warnings"]
    tokens = int(re.fullmatch(r'item 1 of "input" has (\d+) tokens, of which the model reads 63', line)[1])
    same = server.post("/v1/embeddings", {"input": inputs[1] * 2})
    assert tokens > 1000 and same["data"][0]["embedding"] == both["data"][1]["embedding"], tokens
    for count in range(1, 80):  # up to the first that is cut
        found = server.post("/v1/embeddings", {"input": "w" * count})
        if found["warnings"]:
            break
        assert found["usage"]["prompt_tokens"] <= 63, found["usage"]
    assert found["usage"]["prompt_tokens"] == 63 and " 64 tokens" in found["warnings"][0], found


def form(fields):
    """multipart/form-data of names and texts, or names and (file name, bytes)."""
    body = b""
    for name, value in fields:
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, tuple):
            head += f'; filename="{value[0]}"\r\nContent-Type: image/jpeg'
        body += head.encode() + b"\r\n\r\n" + (value[1] if isinstance(value, tuple) else value.encode()) + b"\r\n"
    return body + b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


def test_forms(server):
    expected = server.post("/v1/caption", {"image": data_url(COW), "max_tokens": 8, "temperature": 0})
    status, _, content = server.raw("POST", "/v1/caption", *form([("image", ("cow.jpg", COW.read_bytes())),
                                                                   ("max_tokens", "8"), ("temperature", "0")]))
    answer = json.loads(content)
    assert status == 200 and answer["caption"] == expected["caption"] and answer["prompt"] == "caption en", content
    for fields in ([("image", ("", b""))], [("image", ("x", b"no picture"))], [("max_tokens", "many")], [],
                   [("image", ("/etc/passwd", b""))], [(f"field{i}", "x") for i in range(70)]):
        status, _, content = server.raw("POST", "/v1/caption", *form(fields))
        assert status == 400, content
    body, headers = form([("image", ("cow.jpg", COW.read_bytes()))])
    status, _, content = server.raw("POST", "/v1/caption", body[:-40], headers)
    assert status == 400, content
    for path, more in (("/v1/caption", ("max_tokens", "1")), ("/v1/classify", ("labels", "cow ; lily")),
                       ("/v1/embeddings", ("encoding_format", "base64"))):
        status, _, content = server.raw("POST", path, *form([("image", ("cow.jpg", COW.read_bytes())), more,
                                                             ("picture", ("cow.jpg", COW.read_bytes()))]))
        warnings = json.loads(content)["warnings"]
        assert status == 200 and warnings == ['"picture" is a file that is ignored: pictures are "image"'], content


def test_batch(server):
    requests = [{"custom_id": str(i), "url": "/v1/caption", "body": {"image": data_url(COW), "max_tokens": 4 + i}}
                for i in range(4)]
    requests += [{"url": "/v1/nowhere", "body": {}}, {"url": "/v1/batch", "body": {}}, {"url": "/v1/models"}]
    answers = server.post("/v1/batch", {"requests": requests})["responses"]
    assert [a["status"] for a in answers] == [200] * 4 + [404, 400, 405], answers
    assert [a["custom_id"] for a in answers[:4]] == ["0", "1", "2", "3"]
    captions = [a["body"]["caption"] for a in answers[:4]]
    assert all(later.startswith(first) for first, later in zip(captions, captions[1:])), captions


def test_together(server):
    """Many at a time: each gets the answer that it gets alone."""
    lily = GOLDEN / "inference/images/lily.jpg"
    asked = [("/v1/chat/completions", chat(with_picture("caption en", path), max_tokens=20 + i, temperature=i % 2, seed=i))
             for i in range(12) for path in (COW, lily)]
    asked += [("/v1/detect", {"image": data_url(path), "labels": label, "max_objects": 3})
              for label in ("cat", "a cow ; cat") for path in (COW, lily)]
    asked += [("/v1/embeddings", {"input": [f"text {i}"]}) for i in range(4)]
    asked += [("/v1/classify", {"image": data_url(COW), "labels": ["cow", "lily"]})]
    essence = lambda answer: [answer.get(name) for name in ("choices", "objects", "data", "labels")]
    alone = [essence(server.post(path, body)) for path, body in asked]
    answers = [None] * len(asked)

    def ask(i):
        answers[i] = essence(server.post(*asked[i]))

    for _ in range(2):
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(asked))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for (path, _), mine, expected in zip(asked, answers, alone):
            assert mine == expected, (path, mine, expected)


# ------------------------------------------------------------------------------------------------ the server itself


def test_about(server):
    models = json.loads(server.get("/v1/models")[2])["data"]
    assert [(m["id"], m["kind"]) for m in models]== [("tiny", "paligemma"), ("checkpoint", "siglip")], models
    assert models[0]["score_correction"] == {"slope": 1, "intercept": 0}, models
    assert server.get("/health")[0] == server.get("/ready")[0] == 200
    status, headers, text = server.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in ("num_requests_running", "num_requests_waiting", "prompt_tokens_total", "generation_tokens_total",
                 "time_to_first_token_seconds_bucket", "inter_token_latency_seconds_count",
                 "e2e_request_latency_seconds_sum", 'request_success_total{finished_reason="stop"}'):
        assert "\npaligemma_" + name in text.decode(), name
    for line in text.decode().splitlines():
        assert re.match(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? [0-9.e+-]+)$', line), line
    assert json.loads(server.get("/v1/figures")[2])["scheduler"]["sequences"] >= 0
    described = json.loads(server.get("/openapi.json")[2])["paths"]
    for path, methods in described.items():
        for method in methods:
            other = {"get": "POST", "post": "GET"}[method]
            status, headers, _ = server.raw(other, path, "{}" if other == "POST" else None,
                                            {"Content-Type": "application/json"})
            assert status == 405 and method.upper() in headers["allow"], (path, status)


def test_headers(server):
    _, headers, _ = server.get("/v1/models")
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"] and headers["x-request-id"].startswith("req_")
    assert not any(name.startswith("access-control") for name in headers)


def test_refusals(server):
    ask = {"Content-Type": "application/json"}
    for path, body, headers, status in (
            ("/v1/nowhere", "{}", ask, 404),
            ("/v1/caption", "{}", {"Content-Type": "text/plain"}, 415),
            ("/v1/chat/completions", *form([]), 415),
            ("/v1/caption", "", ask, 400),
            ("/v1/caption", "{", ask, 400),
            ("/v1/caption", "[]", ask, 400),
            ("/v1/caption", '{"a":1,"a":2}', ask, 400),
            ("/v1/caption", '{"image": "/etc/passwd"}', ask, 400),
            ("/v1/caption", '{"image": "file:///etc/passwd"}', ask, 400),
            ("/v1/caption", '{"image": "http://127.0.0.1/"}', ask, 400),
            ("/v1/caption", '{"image": "data:image/png;base64,!"}', ask, 400),
            ("/v1/caption", '{"image": 5}', ask, 400),
            ("/v1/detect", json.dumps({"image": data_url(COW)}), ask, 400),
            ("/v1/detect", json.dumps({"image": data_url(COW), "labels": ["a;b", "c"]}), ask, 400),
            ("/v1/chat/completions", json.dumps(chat("x", model="another")), ask, 404),
            ("/v1/chat/completions", json.dumps(chat("x" * 20000)), ask, 400),
            ("/v1/chat/completions", json.dumps(chat("x", temperature=-1)), ask, 400),
            ("/v1/chat/completions", json.dumps(chat("x", max_tokens=0.5)), ask, 400),
            ("/v1/chat/completions", json.dumps(chat("a\0b")), ask, 400),
            ("/v1/chat/completions", json.dumps(chat([{"type": "video"}])), ask, 400),
            ("/v1/chat/completions", '{"messages": []}', ask, 400),
            ("/v1/chat/completions", '{"messages": [{"role": "system", "content": "x"}]}', ask, 400),
            ("/v1/batch", '{"requests": 5}', ask, 400),
            ("/v1/batch", '{"requests": [{"url": "/v1/caption", "custom_id": {}}]}', ask, 400),
            ("/v1/batch", '{"requests": [{"custom_id": "a"}]}', ask, 400),
            ("/v1/caption", "{}", dict(ask, Host="evil.example"), 403),
            ("/v1/caption", "{}", dict(ask, Origin="https://evil.example"), 403),
            ("/v1/caption", "{}", dict(ask, Origin="null"), 403)):
        found, _, content = server.raw("POST", path, body, headers)
        assert found == status, (path, body[:80], found, content)
        error = json.loads(content)["error"]
        assert error["message"] and "\n" not in error["message"] and error["type"] == {
            403: "permission_error"}.get(status, "invalid_request_error")


def shared_tests(names):
    """Those that one server answers."""
    with Server("--siglip", SIGLIP, "--metrics", "--slow", "0.001", "--name", "tiny") as server:
        for name in names:
            print(name, flush=True)
            globals()[name](server)
    slow = [line for line in server.lines() if line["event"] == "slow_request"]
    if "test_chat" in names:
        assert any(line["stages"].get("decode") for line in slow), slow
    assert not any("caption" in line.get("asked", "") for line in server.lines())


# ------------------------------------------------------------------------------------------------ servers of their own


def alone_keys():
    with tempfile.TemporaryDirectory() as folder:
        keys = pathlib.Path(folder, "keys")
        keys.write_text(f"# ours\n\n  {KEY}  \n")
        with Server("--api-key-file", keys, "--host", "127.0.0.1", "--log-content") as server:
            assert server.get("/health")[0] == 200
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {KEY}x"},
                            {"Authorization": f"Basic {KEY}"}, {"X-Api-Key": KEY[:-1]}):
                status, found, content = server.raw("GET", "/v1/models", headers=headers)
                assert status == 401 and found["www-authenticate"] == "Bearer", content
            assert server.get("/v1/models", Authorization=f"Bearer {KEY}", Host="any.example")[0] == 200
            assert server.raw("GET", "/v1/models", headers={"X-Api-Key": KEY})[0] == 200
            for stream in (False, True):
                body = chat("caption en", max_tokens=2, stream=stream)
                assert server.raw("POST", "/v1/chat/completions", json.dumps(body),
                                  {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})[0] == 200
            keys.write_text("another key of more than 16 letters\n")
            server.process.send_signal(signal.SIGHUP)
            for _ in range(100):
                if server.get("/v1/models", Authorization=f"Bearer {KEY}")[0] == 401:
                    break
                time.sleep(0.1)
            else:
                raise AssertionError("SIGHUP changed nothing")
        lines = server.lines()
        asked = [(line["client"], line["asked"], line["answer_tokens"], line["sent"]) for line in lines if "asked" in line]
        assert asked == [("key 1", "caption en", 2, True)] * 2, lines
        assert "reloaded" in [line["event"] for line in lines] and KEY not in "".join(server.log)


def alone_adapter():
    with Server("--adapter", f"tuned={ADAPTER}", model=ADAPTED) as server:
        models = json.loads(server.get("/v1/models")[2])["data"]
        assert [(m["id"], m["base"]) for m in models] == [("paligemma", None), ("tuned", "paligemma")]
        body = {"image": data_url(COW), "max_tokens": 8, "temperature": 0}
        for name, more in (("paligemma", []), ("tuned", ["--adapter", ADAPTER])):
            expected = command_line("generate", "-m", ADAPTED, *more, "--image", COW, "-p", "caption en", "--temperature",
                                    "0", "--max-new-tokens", "8", "-t", "1", "--json")
            assert server.post("/v1/caption", dict(body, model=name))["caption"] == json.loads(expected)["text"]


def alone_siglip():
    """A server of embeddings and classes alone."""
    with Server("--metrics", model=SIGLIP) as server:
        assert len(server.post("/v1/embeddings", {"input": "a cow", "model": "checkpoint"})["data"]) == 1
        assert "PaliGemma or Gemma" in server.post("/v1/chat/completions", chat("x"), 404)["error"]["message"]
        assert server.post("/v1/chat/completions", chat("x", model="checkpoint"), 400)["error"]["code"] == "wrong_model"
        assert server.post("/v1/detect", {"image": data_url(COW), "labels": "cow"}, 404)
        assert json.loads(server.get("/v1/figures")[2])["scheduler"] is None
        assert b"paligemma_http_requests_total" in server.get("/metrics")[2]


def alone_limits():
    with Server("--max-body", "2000", "--timeout", "1", "--connections", "8") as server:
        connect = lambda: socket.create_connection(("127.0.0.1", server.port), timeout=30)
        head = b"POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for extra, status in ((b"Content-Length: 3000\r\n\r\n", b"413"), (b"Content-Length: 99999999999\r\n\r\n", b"413"),
                              (b"Transfer-Encoding: chunked\r\n\r\n" + b"7d0\r\n" + b"x" * 2000 + b"\r\n" + b"7d0\r\n" +
                               b"x" * 2000 + b"\r\n0\r\n\r\n", b"413")):
            with connect() as client:
                client.sendall(head + extra)
                assert client.recv(100).split()[1] == status
        # nor is more read of a body that has been refused than one may have
        with connect() as client:
            client.sendall(head.replace(b"caption", b"nowhere") + b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(5000):
                    client.sendall(b"7d0\r\n" + b"x" * 2000 + b"\r\n")
                raise AssertionError("10 MB were read")
            except OSError:
                pass
        # half requests, and clients that never begin, are let go of; others are answered meanwhile
        for start in (b"", b"POST /v1/cap", head + b"Content-Length: 100\r\n\r\n{"):
            with connect() as client:
                client.sendall(start)
                assert server.get("/health")[0] == 200
                began = time.monotonic()
                while client.recv(1000):
                    pass
                assert 0.5 < time.monotonic() - began < 10
        # a byte now and then does not keep a connection
        with connect() as client:
            began = time.monotonic()
            try:
                for byte in head * 10:
                    client.sendall(bytes([byte]))
                    time.sleep(0.2)
                    assert time.monotonic() - began < 10
            except OSError:
                pass
        # nor does one that reads nothing of what it asked for
        with connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)
            time.sleep(8)
            size = 0
            try:
                while piece := client.recv(1 << 20):
                    size += len(piece)
            except OSError:
                pass
            assert size < 300 * len(server.get("/openapi.json")[2]), size
        # nor does a crowd keep the server
        crowd = [connect() for _ in range(64)]
        time.sleep(3)
        for client in crowd:
            client.close()
        assert server.get("/health")[0] == 200


def alone_queue():
    """More than may wait are refused at once; what a client leaves is cancelled."""
    with Server("-np", "1", "--queue", "1", "--metrics") as server:
        ask = json.dumps(chat("caption en", max_tokens=100, min_tokens=100, temperature=1))
        head = ("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(ask)}\r\n\r\n")
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(16)]
        for client in clients:
            client.sendall((head + ask).encode())
        first_lines = [client.recv(4000).decode() for client in clients[8:]]
        refused = [text for text in first_lines if text.startswith("HTTP/1.1 429")]
        assert refused and all("Retry-After: 1" in text for text in refused), first_lines
        for client in clients:
            client.close()
        for _ in range(200):
            scheduler = json.loads(server.get("/v1/figures")[2])["scheduler"]
            if scheduler["running"] == scheduler["waiting"] == 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(scheduler)


def alone_again():
    """A connection that has idled nearly as long as it may gives its next request all the time that requests have."""
    with Server("--timeout", "2") as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(4000).split()[1] == b"200"
        time.sleep(1.4)
        body = json.dumps({"text": "", "width": 1, "height": 1}).encode()
        client.sendall(b"POST /v1/objects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(1.3)
        client.sendall(body[5:])
        assert client.recv(4000).split()[1:2] == [b"200"]


def alone_together():
    """The pictures of a request have twice the pixels of the largest, whichever way they come."""
    with Server("--max-pixels", str(240 * 168 + 100), "--siglip", SIGLIP, "--name", "tiny") as server:
        parts = with_picture("caption en")
        for count, status in ((1, 200), (2, 200), (3, 400)):
            answers = (server.post("/v1/chat/completions", chat(parts[:1] * count + parts[1:], max_tokens=1), status),
                       server.post("/v1/embeddings", {"input": [data_url(COW)] * count}, status))
            for answer in answers:
                assert status == 200 or "80840 pixels together" in answer["error"]["message"], answer


def alone_places():
    """Four requests have pictures in memory, as many as the queue says wait for that, more are refused at once."""
    with socket.create_server(("127.0.0.1", 0)) as pictures:
        host = f"127.0.0.1:{pictures.getsockname()[1]}"
        pictures.settimeout(30)
        with Server("--queue", "1", "--allow-image-host", host) as server:
            slow = {"type": "image_url", "image_url": {"url": f"http://{host}/"}}
            ask = json.dumps(chat([*with_picture("caption en"), slow])).encode()  # the first is there, the second never
            head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(ask))
            clients, asked = [], []
            for _ in range(4):
                clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
                clients[-1].sendall(head + ask)
                asked.append(pictures.accept()[0])
            found = []
            caption = lambda: found.append(server.raw("POST", "/v1/caption", json.dumps(
                {"image": data_url(COW), "max_tokens": 1}), {"Content-Type": "application/json"})[0])
            threads = [threading.Thread(target=caption) for _ in range(3)]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(found) == 2)
            assert found == [429, 429], found
            masks = {"text": "<loc0000><loc0000><loc1023><loc1023> cow", "width": 40, "height": 20}
            assert "wait with pictures" in server.post("/v1/objects", masks, 429)["error"]["message"]
            assert server.post("/v1/objects", dict(masks, masks="none"))["objects"]
            assert server.post("/v1/chat/completions", chat("caption en", max_tokens=1))["choices"]
            clients[0].close()  # its picture is no longer fetched, and somebody else has its place
            wait_until(lambda: len(found) == 3, 10)
            assert found[2] == 200, found
            wait_until(lambda: any(line.get("status") == 499 for line in server.lines()), 10)
            for client, connection in zip(clients[1:], asked[1:]):
                connection.close()
                assert client.recv(4000).split()[1] == b"400"
                client.close()
            assert len(server.post("/v1/objects", masks)["objects"]) == 1


def alone_codec():
    """Masks are decoded by the codec that lies with the model, and by no other unless it is named."""
    codes = "<loc0000><loc0000><loc1023><loc1023>" + "".join(f"<seg{i:03}>" for i in range(16)) + " cow"
    asked = {"text": codes, "width": 40, "height": 20}
    with tempfile.TemporaryDirectory() as folder:
        beside = pathlib.Path(folder, "beside")
        beside.mkdir()
        for file in MODEL.iterdir():
            (beside / file.name).symlink_to(file)
        (beside / "mask_codec.npz").symlink_to(CODEC)
        masks = []
        for model, options in ((MODEL, []), (beside, []), (MODEL, ["--codec", CODEC])):
            with Server(*options, model=model) as server:
                masks.append(server.post("/v1/objects", asked)["objects"][0].get("mask"))
        assert masks[0] is None and masks[1] and masks[1] == masks[2], masks


def alone_fetch():
    """Pictures by URL: of named hosts only, by addresses that are public or named in figures, also behind redirects."""
    other = socket.create_server(("127.0.0.1", 0))
    answers = {
        "/cow": (200, {}, COW.read_bytes()),
        "/there": (302, {"Location": "/cow"}, b""),
        "/away": (302, {"Location": f"http://127.0.0.1:{other.getsockname()[1]}/"}, b""),
        "/round": (302, {"Location": "/round"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/large": (200, {}, b"x" * 300000),
        "/text": (200, {}, b"no picture"),
    }

    class Pictures(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in dict(headers, **{"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    pictures = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=pictures.serve_forever, daemon=True).start()
    port = pictures.server_port
    with Server("--allow-image-host", f"127.0.0.1:{port}", "--allow-image-host", f"localhost:{port}",
                "--allow-image-host", f"a.localhost:{port}", "--max-body", "200000", "--timeout", "5") as server:
        ask = lambda url, status: server.post("/v1/caption", {"image": url, "max_tokens": 3, "temperature": 0}, status)
        same = ask(data_url(COW), 200)["caption"]
        assert ask(f"http://127.0.0.1:{port}/cow", 200)["caption"] == same
        assert ask(f"http://127.0.0.1:{port}/there", 200)["caption"] == same
        for url, words in ((f"http://localhost:{port}/cow", "not public"), (f"http://a.localhost:{port}/cow", "not public"),
                           (f"http://127.0.0.1:{port}/away", "not fetched"),
                           (f"http://127.0.0.1:{port}/round", "more than 3 times"), (f"http://127.0.0.1:{port}/no", "404"),
                           (f"http://127.0.0.1:{port}/file", "not an http"), (f"http://127.0.0.1:{port}/large", "more than"),
                           (f"http://127.0.0.1:{port}/text", "image 1"), ("http://127.0.0.1/cow", "not fetched"),
                           (f"http://user:word@127.0.0.1:{port}/cow", "without a password"),
                           (f"https://127.0.0.1:{port}/cow", "cannot be fetched")):
            message = ask(url, 400)["error"]["message"]
            assert words in message, (url, message)
    other.settimeout(0.1)
    try:
        other.accept()
        raise AssertionError("the other server was asked")
    except TimeoutError:
        pass
    pictures.shutdown()


def alone_drain():
    """SIGTERM: what runs is answered, nothing new is taken."""
    server = Server()
    body = chat(with_picture("caption en"), max_tokens=150, min_tokens=150, temperature=1, n=4)
    result = []
    asking = threading.Thread(target=lambda: result.append(server.post("/v1/chat/completions", body)))
    asking.start()
    time.sleep(0.3)
    assert server.end() == 0
    asking.join()
    assert len(result[0]["choices"]) == 4


def alone_start():
    """What keeps the server from starting is said before anything listens."""
    with tempfile.TemporaryDirectory() as folder:
        empty = pathlib.Path(folder, "empty")
        empty.write_text("# no key\n")
        for options, words in ((["--host", "0.0.0.0"], "without a key"), (["--host", "localhost"], "no address"),
                               (["--api-key-file", empty], "no key in it"), (["--adapter", "a=nowhere"], "nowhere"),
                               (["--siglip", MODEL, "--name", "tiny"], "not a SigLIP"),
                               (["--allow-image-host", "http://example.org"], "expected a name alone"),
                               (["--siglip", SIGLIP], "two models are called 'checkpoint'"), (["--api-key-file", "none"], "none")):
            for more in ([], ["--check"]):
                run = subprocess.run([str(w) for w in (PROGRAM, "serve", "-m", MODEL, "--port", "0", *options, *more)],
                                     capture_output=True, text=True, timeout=60)
                assert run.returncode == 1 and words in run.stderr, (options, run)
    good = command_line("serve", "-m", MODEL, "--siglip", SIGLIP, "--siglip-name", "siglip", "--check")
    assert good == "all that is named can be served\n"


def main():
    wanted = sys.argv[2:]
    chosen = [name for name in globals() if not wanted or any(word in name for word in wanted)]
    shared = [name for name in chosen if name.startswith("test_")]
    if shared:
        shared_tests(shared)
    for name in [name for name in chosen if name.startswith("alone_")]:
        print(name, flush=True)
        globals()[name]()


if __name__ == "__main__":
    main()
