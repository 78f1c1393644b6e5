#!/usr/bin/env python3
"""A hub for tests: speaks what huggingface.co speaks, from folders, and misbehaves when told to.

    hub_server.py FOLDER

FOLDER/ORG/NAME holds the files of a model's revision main, FOLDER/ORG/NAME@REVISION those of another one. Files called
*.safetensors are redirected to a second host, which refuses whoever shows it a token. FOLDER/ORG/NAME/.gated asks for
the token hf_good.

Writes the address to FOLDER/address, and a line for each request to FOLDER/log: host, method, path, range, and whether
a token came. FOLDER/rules.json, read anew for each request, is a list of what goes wrong:

    {"host": "hub" or "files", "path": REGEX, "method": "GET", "times": N, ...}     the first that matches counts, with
        "status": 503, "retry_after": 1, "error": "GatedRepo", "headers": {...}     another answer
        "cut": BYTES            the connection breaks after so many bytes of the body
        "stall": BYTES          nothing comes after so many
        "pace": SECONDS         between pieces of 64 KiB
        "corrupt": BYTE         this byte of the file is another
        "ranges": false         the whole file comes, whatever was asked for
        "replace": TEXT         another body
        "set": {HEADER: VALUE}  other headers in the right answer
"""
import hashlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()
used = {}


def files_of(folder):
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".gated"}


commits = {}


def commit_of(folder):
    """A sum of everything, computed again when a file changes."""
    found = files_of(folder)
    key = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in found.values())
    if key not in commits:
        content = b"".join(name.encode() + path.read_bytes() for name, path in found.items())
        commits[key] = hashlib.sha1(content).hexdigest()
    return commits[key]


def find_folder(repository, revision):
    """The folder of a revision, which may be a commit."""
    base = ROOT / repository
    folders = [folder for folder in base.parent.glob(base.name + "*")
               if folder.is_dir() and folder.name.split("@")[0] == base.name]
    for folder in folders:
        name = folder.name.split("@")[1] if "@" in folder.name else "main"
        if revision in (name.replace("%", "/"), commit_of(folder)):
            return folder
    return None


def is_large(name):
    return name.endswith(".safetensors")


def etag_of(name, content):
    if is_large(name):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Host(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    place = "hub"

    def log_message(self, *_):
        pass

    def find_rule(self):
        """The first rule that matches and is not used up."""
        try:
            rules = json.loads((ROOT / "rules.json").read_text())
        except (OSError, ValueError):
            return {}
        for rule in rules:
            key = json.dumps(rule)
            fits = rule.get("host", "hub") == self.place and re.search(rule["path"], self.path)
            if fits and rule.get("method", self.command) == self.command:
                with LOCK:
                    used[key] = used.get(key, 0) + 1
                    if used[key] <= rule.get("times", 1 << 30):
                        return rule
        return {}

    def note(self):
        token = self.headers.get("Authorization")
        with LOCK, open(ROOT / "log", "a") as log:
            path = re.sub(r"/[0-9a-f]{40}(?=/|$)", "/COMMIT", self.path.split("?")[0])
            print(self.place, self.command, path, self.headers.get("Range", "-"), "token" if token else "-", file=log)

    def answer(self, status, headers, body=b"", rule=None):
        """The status, headers and body, with what the rule does to the body on its way."""
        rule = rule or {}
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers, **rule.get("set", {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = min(rule.get("cut", len(body)), rule.get("stall", len(body)))
        step = 1 << 16
        for at in range(0, end, step):
            self.wfile.write(body[at:min(at + step, end)])
            time.sleep(rule.get("pace", 0))
        if "stall" in rule:
            time.sleep(20)
        if end < len(body):
            self.close_connection = True

    def send_content(self, content, headers, rule):
        if "corrupt" in rule:
            at = rule["corrupt"]
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if "replace" in rule:
            self.answer(200, headers, rule["replace"].encode(), rule)
        elif wanted and rule.get("ranges", True):
            first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
            if first > last:
                self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
                return
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
            self.answer(206, headers, content[first:last + 1], rule)
        else:
            self.answer(200, headers, content, rule)

    def refuse(self, status, error, headers=None):
        self.answer(status, {"X-Error-Code": error, **(headers or {})}, f"{error}\n".encode())

    def do_GET(self):
        self.note()
        rule = self.find_rule()
        if "status" in rule:
            headers = {"Retry-After": rule["retry_after"]} if "retry_after" in rule else {}
            self.refuse(rule["status"], rule.get("error", ""), {**headers, **rule.get("headers", {})})
        else:
            self.serve(urllib.parse.urlsplit(self.path), rule)

    do_HEAD = do_GET


class Hub(Host):
    def is_allowed(self, folder):
        """Whether the files of a folder may be read; else says why not."""
        if not (folder / ".gated").exists():
            return True
        token = self.headers.get("Authorization")
        if token != "Bearer hf_good":
            self.refuse(403 if token else 401, "GatedRepo")
        return token == "Bearer hf_good"

    def serve(self, url, rule):
        part = "([^/]+)"
        listing = re.fullmatch(f"/api/models/(.+)/revision/{part}", url.path)
        resolve = re.fullmatch(f"/(.+)/resolve/{part}/(.+)", url.path)
        cached = re.fullmatch(f"/api/resolve-cache/models/(.+)/{part}/files/(.+)", url.path)
        found = listing or resolve or cached
        if not found:
            return self.refuse(404, "")
        repository, revision = found[1], urllib.parse.unquote(found[2])
        folder = find_folder(repository, revision)
        if not (ROOT / repository).is_dir():
            return self.refuse(401, "RepoNotFound")
        if not folder:
            return self.refuse(404, "RevisionNotFound")
        if listing:
            return self.serve_listing(folder, repository, rule)
        path = folder / urllib.parse.unquote(found[3])
        if not path.is_file():
            return self.refuse(404, "EntryNotFound")
        if self.is_allowed(folder):
            self.serve_file(folder, repository, path, bool(cached), rule)

    def serve_listing(self, folder, repository, rule):
        names = rule.get("names") or list(files_of(folder))
        body = {"id": repository, "sha": rule.get("sha", commit_of(folder)), "siblings": [{"rfilename": n} for n in names]}
        body = rule.get("replace", json.dumps(body)).encode()
        self.answer(200, {"Content-Type": "application/json"}, body, {**rule, "replace": None})

    def serve_file(self, folder, repository, path, cached, rule):
        name, content, commit = str(path.relative_to(folder)), path.read_bytes(), commit_of(folder)
        quoted = urllib.parse.quote(name)
        if is_large(name):
            where = f"http://127.0.0.2:{files.server_port}/{repository}/{commit}/{quoted}?signature=hidden"
            self.answer(302, {"Location": where, "X-Repo-Commit": commit, "X-Linked-Size": len(content),
                              "X-Linked-Etag": f'"{etag_of(name, content)}"'}, b"Found\n", rule)
        elif not cached:
            where = f"/api/resolve-cache/models/{repository}/{commit}/files/{quoted}"
            self.answer(307, {"Location": where, "X-Repo-Commit": commit}, b"Temporary Redirect\n")
        else:
            self.send_content(content, {"ETag": f'"{etag_of(name, content)}"', "X-Repo-Commit": commit}, rule)


class Files(Host):
    place = "files"

    def serve(self, url, rule):
        found = re.fullmatch(r"/(.+)/([0-9a-f]{40})/(.+)", url.path)
        folder = found and find_folder(found[1], found[2])
        if self.headers.get("Authorization"):
            self.refuse(400, "a token for another host")
        elif not folder or url.query != "signature=hidden":
            self.refuse(403, "AccessDenied")
        else:
            content = (folder / urllib.parse.unquote(found[3])).read_bytes()
            self.send_content(content, {"ETag": '"of-the-store"'}, rule)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # clients that go away


hub, files = Server(("127.0.0.1", 0), Hub), Server(("127.0.0.2", 0), Files)
threading.Thread(target=files.serve_forever, daemon=True).start()
(ROOT / "address.new").write_text(f"http://127.0.0.1:{hub.server_port}")
(ROOT / "address.new").rename(ROOT / "address")
hub.serve_forever()
