"""What the tests share: golden cases, and the package of this tree."""
import json
import os
import pathlib
import struct
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "inference"
sys.path.insert(0, str(ROOT / "python"))
os.environ.pop("PALIGEMMA_MODEL", None)
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched

DTYPES = {"F32": np.float32, "I64": np.int64, "U8": np.uint8, "I32": np.int32}


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    arrays = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


class Case:
    """A folder of tests/golden/inference."""

    def __init__(self, name):
        self.folder = GOLDEN / name
        self.checkpoint = self.folder / "checkpoint"
        self.facts = json.loads((self.folder / "expected.json").read_text("utf-8"))
        self.arrays = read_safetensors(self.folder / "expected.safetensors")
        self.images = self.folder / self.facts.get("image_folder", ".")

    def image(self, name):
        from PIL import Image
        return Image.open(self.images / name).convert("RGB")


@pytest.fixture(scope="session")
def paligemma():
    import paligemma as package
    return package


@pytest.fixture(scope="session")
def tiny():
    return Case("paligemma-tiny-f32")


@pytest.fixture(scope="session")
def tiny_gemma():
    return Case("gemma-tiny-mha")


@pytest.fixture(scope="session")
def tiny_siglip():
    return Case("siglip-tiny")


@pytest.fixture(scope="session")
def cow(tiny):
    return tiny.images / "cow.jpg"


class Hub:
    """A cache as the hub's clients keep it, which is all that there is offline."""

    commits = {"main": "1" * 40, "v2": "2" * 40}

    def __init__(self, folder):
        self.folder = folder

    def add(self, name, files):
        """The same files at both revisions."""
        place = self.folder / f"models--{name.replace('/', '--')}"
        (place / "refs").mkdir(parents=True)
        for revision, commit in self.commits.items():
            (place / "refs" / revision).write_text(commit)
            (place / "snapshots" / commit).mkdir(parents=True)
            for file in files.iterdir():
                (place / "snapshots" / commit / file.name).symlink_to(file)
        return {revision: place / "snapshots" / commit for revision, commit in self.commits.items()}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return Hub(tmp_path / "hub")


def close(got, want, error=2e-5):
    """Within `error` of the largest value."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= error * np.abs(want).max()
