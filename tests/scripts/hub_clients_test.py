#!/usr/bin/env python3
"""The cache of models with huggingface_hub itself on the other side: what it has fetched `paligemma` finds, what
`paligemma pull` has fetched it finds, in the same files and links.

    hub_clients_test.py PALIGEMMA        exits with 77 where huggingface_hub is not installed

The hub is tests/scripts/hub_server.py.
"""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
PALIGEMMA = pathlib.Path(sys.argv[1]).resolve()
HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE.parent / "golden/inference/paligemma-tiny-f32/checkpoint"
NAME = "org/tiny"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()


def describe(cache):
    """What lies in a cache, by name: files with their sizes, links with where they lead; without locks."""
    found = {}
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache)
        if path.is_symlink():
            found[str(name)] = os.readlink(path)
        elif path.is_file() and ".locks" not in name.parts and name.name != "CACHEDIR.TAG" and ".no_exist" not in name.parts:
            found[str(name)] = path.stat().st_size
    return found


def check(folder, hub):
    import huggingface_hub

    ours, theirs = folder / "ours", folder / "theirs"
    wanted = ["*.json", "*.model", "*.safetensors"]
    download = lambda cache, **how: huggingface_hub.snapshot_download(NAME, cache_dir=cache, allow_patterns=wanted, **how)
    pull = lambda cache, *how: run("env", f"HF_HUB_CACHE={cache}", *how, PALIGEMMA, "pull", NAME,
                                   *(f"--include={pattern}" for pattern in wanted))
    snapshot, place = pathlib.Path(download(theirs)), pathlib.Path(pull(ours))
    assert snapshot.relative_to(theirs) == place.relative_to(ours), (snapshot, place)
    assert describe(theirs) == describe(ours), (describe(theirs), describe(ours))

    # Each finds what the other has fetched, without asking anybody.
    (hub / "log").write_text("")
    assert download(ours, local_files_only=True) == str(place)
    assert pull(theirs, "HF_HUB_OFFLINE=1") == str(snapshot)
    assert huggingface_hub.try_to_load_from_cache(NAME, "config.json", cache_dir=ours) == str(place / "config.json")
    report = huggingface_hub.scan_cache_dir(ours)
    assert not report.warnings and [repo.repo_id for repo in report.repos] == [NAME], report
    assert (hub / "log").read_text() == ""

    # Nothing is fetched again by whoever comes second.
    download(ours)
    pull(theirs)
    log = (hub / "log").read_text()
    assert "files GET" not in log, log
    assert describe(theirs) == describe(ours)


def main():
    if not importlib.util.find_spec("huggingface_hub"):
        print("skipped: there is no huggingface_hub")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        hub = folder / "hub"
        shutil.copytree(TINY, hub / NAME)
        server = subprocess.Popen([sys.executable, HERE / "hub_server.py", hub])
        try:
            while not (hub / "address").exists():
                time.sleep(0.02)
            for variable in [name for name in os.environ if name.startswith("HF_")]:
                del os.environ[variable]
            # It reads its settings once, when it is imported.
            os.environ.update(HF_ENDPOINT=(hub / "address").read_text(), HF_HOME=str(folder / "home"), HF_HUB_DISABLE_XET="1",
                              no_proxy="127.0.0.1,127.0.0.2", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
            check(folder, hub)
        finally:
            server.kill()
    print("huggingface_hub: the same cache")
    return 0


if __name__ == "__main__":
    sys.exit(main())
