#!/usr/bin/env python3
"""The page's routes without a browser: its files and their policy, feedback that outlives kill -9, objects, heat maps.

    feedback_test.py PALIGEMMA
"""
import base64
import contextlib
import hashlib
import http.client
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

PALIGEMMA = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "golden/inference/paligemma-tiny-f32/checkpoint"
WEB = ROOT.parent / "src/serve/web"
SAMPLES = ROOT.parent / "examples/emoji-world/pictures"
COW = (ROOT / "golden/inference/images/cow.jpg").read_bytes()
PICTURE = "data:image/jpeg;base64," + base64.b64encode(COW).decode()
JUDGED = {"prompt": "caption en", "answer": "a dog", "judgement": "down", "correction": "a cow", "image": PICTURE}


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([PALIGEMMA, "serve", "-m", MODEL, "--name", "tiny", "--port", "0", "-t", "1",
                                         "--quiet", *options], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert "serving at" in line, line
        self.port = int(re.search(r":(\d+)$", line.strip()).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, body=None):
        """Status, headers and bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, text, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def json(self, path, body=None, status=200):
        found, _, content = self.ask(path, body)
        assert found == status, (path, found, content)
        return json.loads(content)


def list_of(database):
    done = subprocess.run([PALIGEMMA, "feedback", "list", database, "--json"], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_files(server):
    pictures = sorted(SAMPLES.glob("*.jpg"))
    assert pictures
    for file in sorted(WEB.iterdir()) + pictures:
        status, headers, content = server.ask(f"/{file.name}")
        assert status == 200 and content == file.read_bytes(), (file, status)
        assert file.suffix != ".jpg" or headers["Content-Type"] == "image/jpeg", headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, policy
    status, headers, content = server.ask("/")
    assert status == 200 and content == (WEB / "index.html").read_bytes()
    text = content.decode()
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"<style|style=|\son\w+=|<script>|https?://(?!www\.w3\.org)", text), "inline, or from elsewhere"
    assert server.ask("/nothing.js")[0] == 404


def check_feedback(server, database):
    assert server.json("/v1/page") == {"feedback": True, "keep_images": False}
    first = server.json("/v1/feedback", {**JUDGED, "request": "one", "task": "caption", "keep_image": True})
    again = server.json("/v1/feedback", {**JUDGED, "request": "one", "judgement": "up", "correction": None})
    assert first["id"] == again["id"] == 1
    row = list_of(database)[0]
    digest = hashlib.sha256(COW).hexdigest()
    assert row["judgement"] == "up" and row["correction"] is None and row["model"] == "tiny", row
    assert row["pictures"] == [{"sha256": digest, "kept": False}], row  # the server was not told to keep any
    fingerprint = server.json("/v1/models")["data"][0]["fingerprint"]
    assert row["model_version"] == fingerprint
    named = {"prompt": "a", "answer": "b", "image_sha256": digest, "system_fingerprint": "of yesterday"}
    server.json("/v1/feedback", named)
    assert list_of(database)[1]["model_version"] == "of yesterday"
    for bad, part in (({"prompt": "a"}, "needs a prompt and an answer"), ({**JUDGED, "judgement": "maybe"}, "maybe"),
                      ({**JUDGED, "correction": "a dog"}, "the same as the answer"), ({**JUDGED, "image": "cow.jpg"}, ""),
                      ({**named, "image_sha256": "12"}, "SHA-256"), ("{", "")):
        answer = server.json("/v1/feedback", bad, 400)
        assert part in answer["error"]["message"], answer
    assert server.json("/v1/feedback", {**JUDGED, "model": "none"}, 404)["error"]
    assert len(list_of(database)) == 2


def check_objects(server):
    text = "<loc0000><loc0000><loc1023><loc1023> cow ; <loc0100><loc0100><loc0050><loc0200> dog"
    found = server.json("/v1/objects", {"text": text, "width": 40, "height": 20})
    assert [(each["label"], each["box"]) for each in found["objects"]] == [("cow", [0, 0, 40, 20])], found
    assert found["problems"] == ["empty_box"], found
    assert not server.json("/v1/objects", {"text": "", "width": 1, "height": 1})["objects"]
    for bad in ({"text": text}, {"text": text, "width": 0, "height": 1}, {"text": text, "width": 99999, "height": 99999}):
        status, _, content = server.ask("/v1/objects", bad)
        assert status in (400, 413, 422), (status, content)


def check_explanations(server):
    asked = {"image": PICTURE, "prompt": "caption en", "answer": "a cow"}
    found = server.json("/v1/explain", asked)
    assert [part["text"] for part in found["parts"]] == ["a", "cow"], found["parts"]
    for part in found["parts"]:
        assert len(part["map"]) == found["rows"] * found["columns"] and max(part["map"]) == 255, part
    rolled = server.json("/v1/explain", {**asked, "method": "rollout"})
    assert rolled["parts"][0]["map"] != found["parts"][0]["map"]
    for bad, part in (({**asked, "answer": ""}, "answer"), ({**asked, "method": "guess"}, "guess"),
                      ({"answer": "a", "prompt": "b"}, "")):
        assert part in server.json("/v1/explain", bad, 400)["error"]["message"]


def write_until_dead(server, name, acknowledged):
    for number in range(10000):
        try:
            server.json("/v1/feedback", {**JUDGED, "request": f"{name}-{number}"})
        except (OSError, http.client.HTTPException):
            return
        acknowledged.append(f"{name}-{number}")


def check_kill(database):
    """Nothing acknowledged is lost, whenever the server dies."""
    acknowledged = []
    for run in range(3):
        with Server("--feedback", database) as server:
            threads = [threading.Thread(target=write_until_dead, args=(server, f"{run}-{i}", acknowledged))
                       for i in range(3)]
            for thread in threads:
                thread.start()
            while len(acknowledged) < 5 * (run + 1):
                time.sleep(0.01)
            time.sleep(0.03 * run)
            server.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    stored = {row["request"] for row in list_of(database)}
    assert acknowledged and stored >= set(acknowledged), set(acknowledged) - stored
    print(f"{len(acknowledged)} acknowledged, {len(stored)} stored, 3 kills")


def check_refusals(folder):
    """A server does not start over a database that it cannot use, and without one it stores nothing."""
    damaged = folder / "damaged.db"
    damaged.write_bytes(b"not a database, but long enough to be taken for a damaged one" * 4)
    before = damaged.read_bytes()
    done = subprocess.run([PALIGEMMA, "serve", "-m", MODEL, "--check", "--feedback", damaged], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "damaged.db: damaged" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert damaged.read_bytes() == before
    with Server() as server:
        assert server.json("/v1/page") == {"feedback": False, "keep_images": False}
        assert "--feedback" in server.json("/v1/feedback", JUDGED, 404)["error"]["message"]


def check_full(folder):
    """A database at its limit: one clear refusal, and smaller judgements still fit."""
    with Server("--feedback", folder / "small.db", "--feedback-images", "--feedback-bytes", "65536") as server:
        picture = "data:image/png;base64," + base64.b64encode(bytes(100000)).decode()
        answer = server.ask("/v1/feedback", {**JUDGED, "image": picture, "keep_image": True})
        assert answer[0] >= 400 and b"no room left" in answer[2], answer
        server.json("/v1/feedback", {**JUDGED, "image": None})
    assert len(list_of(folder / "small.db")) == 1


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of so many bytes; None where this process may not mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True, check=False)
    if done.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def judge_until_full(server, acknowledged):
    """What the first judgement that no longer fits is answered with."""
    for number in range(200):
        picture = "data:image/png;base64," + base64.b64encode(number.to_bytes(2, "big") * 10000).decode()
        status, _, content = server.ask("/v1/feedback", {**JUDGED, "request": f"full-{number}", "image": picture,
                                                         "keep_image": True})
        if status != 200:
            return status, content
        acknowledged.append(f"full-{number}")
    raise AssertionError("the disk does not fill up")


def check_full_disk(folder):
    """A disk that is full: one clear line for the client, the server goes on, nothing acknowledged is lost, and there is
    room again once somebody makes it."""
    with small_disk(folder / "disk", 1 << 20) as disk:
        if not disk:
            print("a full disk: not tried, as nothing can be mounted here (root can)")
            return
        ballast, database, acknowledged = disk / "ballast", disk / "full.db", []
        ballast.write_bytes(bytes(1 << 17))
        with Server("--feedback", database, "--feedback-images") as server:
            status, content = judge_until_full(server, acknowledged)
            error = json.loads(content)["error"]
            assert status == 500 and "full" in error["message"] and "\n" not in error["message"], (status, error)
            assert server.ask("/health")[0] == 200
            ballast.unlink()
            server.json("/v1/feedback", {**JUDGED, "request": "later"})
        stored = [row["request"] for row in list_of(database)]
        assert acknowledged and stored == [*acknowledged, "later"], (acknowledged, stored)
        print(f"a full disk: {len(acknowledged)} acknowledged, all stored")


def check_damaged_meanwhile(folder):
    """Somebody overwrites the database of a running server: judgements are refused in one line, all else is answered."""
    database = folder / "hurt.db"
    with Server("--feedback", database) as server:
        for number in range(20):
            server.json("/v1/feedback", {**JUDGED, "request": str(number)})
        with open(database, "r+b") as file:
            file.write(b"\xa5" * database.stat().st_size)
        for _ in range(3):
            status, _, content = server.ask("/v1/feedback", JUDGED)
            message = json.loads(content)["error"]["message"]
            assert status == 500 and "hurt.db" in message and "\n" not in message, (status, content)
        assert server.json("/v1/objects", {"text": "", "width": 1, "height": 1}) and server.ask("/health")[0] == 200


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with Server("--feedback", folder / "feedback.db") as server:
            check_files(server)
            check_feedback(server, folder / "feedback.db")
            check_objects(server)
            check_explanations(server)
        check_refusals(folder)
        check_full(folder)
        check_full_disk(folder)
        check_damaged_meanwhile(folder)
        check_kill(folder / "killed.db")


if __name__ == "__main__":
    main()
