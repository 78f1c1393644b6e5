"""Runs of training with rows and callbacks from Python."""
import json

import numpy as np
import pytest
from conftest import ROOT

CHECKPOINT = ROOT / "tests" / "golden" / "training" / "checkpoints" / "paligemma"
ADAPTER = ROOT / "tests" / "golden" / "training" / "paligemma-lora" / "both" / "adapter_trained"
IMAGES = ROOT / "tests" / "golden" / "data" / "images"
SETTINGS = dict(batch=2, steps=3, learning_rate=1e-3, threads=1)


@pytest.fixture
def rows():
    from PIL import Image
    return [{"image": IMAGES / "img0.jpg", "prefix": "caption en", "suffix": "two dogs"},
            {"image": Image.open(IMAGES / "img1.png"), "prefix": "caption en", "suffix": "a red sign"},
            {"image": np.zeros((20, 30, 3), np.uint8), "prefix": "caption en", "suffix": "nothing"}]


def test_a_run(paligemma, rows, tmp_path):
    seen = []
    trainer = paligemma.Trainer(CHECKPOINT, rows, tmp_path / "run", validation=rows, **SETTINGS)
    last = trainer.train(seen.append, lambda report: None)
    assert [report.step for report in seen] == [1, 2, 3] and last is seen[-1]
    assert last.finished and last.validation.rows == 3 and seen[0].validation is None
    assert last.train.loss < seen[0].train.loss and last.learning_rate <= 1e-3
    assert trainer.validate().loss == pytest.approx(last.validation.loss)
    assert trainer.best().caption(rows[0]["image"], max_new_tokens=2) is not None
    trainer.export(tmp_path / "exported")
    assert paligemma.load(tmp_path / "exported").kind == "paligemma"


def test_a_run_goes_on(paligemma, rows, tmp_path):
    whole = paligemma.Trainer(CHECKPOINT, rows, tmp_path / "whole", **SETTINGS).train()
    halves = dict(model=CHECKPOINT, data=rows, out=tmp_path / "halves", **SETTINGS)
    stopped = paligemma.Trainer(**halves).train(lambda report: report.step < 2)
    assert stopped.step == 2 and not stopped.finished
    assert paligemma.Trainer(**halves).train().train == whole.train


def test_adapters(paligemma, rows, tmp_path):
    trainer = paligemma.Trainer(paligemma.load(CHECKPOINT), rows, out=tmp_path / "run", recipe="lora", lora_rank=2,
                                micro_batch=1, **SETTINGS)
    trainer.train()
    assert trainer.best().caption(rows[0]["image"], max_new_tokens=2) is not None
    model = paligemma.AutoModel.from_pretrained(CHECKPOINT, adapter=tmp_path / "run" / "last")
    model.save_pretrained(tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").is_file()


def test_data_of_torch(paligemma, rows, tmp_path):
    data = pytest.importorskip("torch.utils.data")

    class Rows(data.Dataset):
        def __len__(self):
            return len(rows)

        def __getitem__(self, i):
            if i >= len(rows):
                raise IndexError(i)
            return rows[i]

    loader = data.DataLoader(Rows(), batch_size=2,
                             collate_fn=lambda batch: {key: [row[key] for row in batch] for key in batch[0]})
    for name, source in (("dataset", Rows()), ("loader", loader)):
        trainer = paligemma.Trainer(CHECKPOINT, source, tmp_path / name, **SETTINGS)
        assert trainer.train().finished
        assert len((tmp_path / name / "data" / "data" / "rows.jsonl").read_text().splitlines()) == 3


class Loader:
    """What a Trainer sees of torch's DataLoader."""

    def __init__(self, rows, collate, batch_size=2):
        self.dataset, self.batch_size, self.collate = rows, batch_size, collate

    def __iter__(self):
        for i in range(0, len(self.dataset), self.batch_size):
            yield self.collate(self.dataset[i:i + self.batch_size])


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def rows_of(folder):
    return [json.loads(line) for line in (folder / "data" / "data" / "rows.jsonl").read_text("utf-8").splitlines()]


def test_batches_of_loaders(paligemma, rows, tmp_path):
    several = [{"images": [row["image"]] * 2, "prefix": "caption en", "suffix": row["suffix"]} for row in rows]
    for name, loader in (("columns", Loader(rows, columns)), ("lists", Loader(rows, list))):
        paligemma.Trainer(CHECKPOINT, loader, tmp_path / name, **SETTINGS)
        assert [row["suffix"] for row in rows_of(tmp_path / name)] == [row["suffix"] for row in rows]
    paligemma.Trainer(CHECKPOINT, Loader(several, list), tmp_path / "several", **SETTINGS)
    assert [len(row["image"]) for row in rows_of(tmp_path / "several")] == [2, 2, 2]
    with pytest.raises(ValueError, match="'images'.*collate_fn=list"):
        paligemma.Trainer(CHECKPOINT, Loader(several, columns), tmp_path / "apart", **SETTINGS)
    with pytest.raises(ValueError, match="different lengths: prefix 2, suffix 1"):
        paligemma.Trainer(CHECKPOINT, Loader([{"prefix": "a", "suffix": "b"}] * 2, lambda batch: {
            "prefix": ["a"] * 2, "suffix": ["b"]}), tmp_path / "ragged", **SETTINGS)
    assert not (tmp_path / "apart" / "data" / "data").exists()


def test_a_run_keeps_its_rows(paligemma, rows, tmp_path):
    wanted = dict(model=CHECKPOINT, out=tmp_path / "run", **SETTINGS)
    paligemma.Trainer(data=rows, **wanted)
    before = rows_of(tmp_path / "run")
    paligemma.Trainer(data=rows[::-1], **wanted)  # as loaders that shuffle give them
    for others in (rows[:2], rows + rows[:1], [{**row, "suffix": "others"} for row in rows],
                   [{**row, "image": IMAGES / "img2.jpg"} for row in rows]):
        with pytest.raises(ValueError, match="has other rows than these"):
            paligemma.Trainer(data=others, **wanted)
    assert rows_of(tmp_path / "run") == before


def test_where_a_run_begins(paligemma, rows, hub, tmp_path):
    folders = hub.add("org/small", CHECKPOINT)
    paligemma.Trainer("org/small", rows, tmp_path / "run", **{**SETTINGS, "steps": 1}).train()
    assert json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))["model"] == str(folders["main"])
    with pytest.raises(paligemma.FileError, match="HF_HUB_OFFLINE"):
        paligemma.Trainer("org/nothing", rows, tmp_path / "b", **SETTINGS)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        paligemma.Trainer(tmp_path / "nowhere", rows, tmp_path / "c", **SETTINGS)
    adapted = paligemma.load(CHECKPOINT, adapter=ADAPTER)
    with pytest.raises(ValueError, match="cannot begin with the adapter .*adapter_trained"):
        paligemma.Trainer(adapted, rows, tmp_path / "d", **SETTINGS)
    assert not any((tmp_path / name).exists() for name in "bcd")


def test_mistakes(paligemma, rows, tmp_path):
    with pytest.raises(ValueError, match="learning_rate"):
        paligemma.Trainer(CHECKPOINT, rows, tmp_path / "a", lerning_rate=1)
    with pytest.raises(ValueError, match="'caption'"):
        paligemma.Trainer(CHECKPOINT, [{"image": "a.png", "caption": "x"}], tmp_path / "b")
    with pytest.raises(ValueError, match="no rows"):
        paligemma.Trainer(CHECKPOINT, [], tmp_path / "c")
    with pytest.raises(TypeError, match="data and out"):
        paligemma.Trainer(CHECKPOINT)
    assert "learning_rate" in paligemma.training_settings()
