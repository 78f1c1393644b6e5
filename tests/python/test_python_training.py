"""Runs of training with rows and callbacks from Python."""
import numpy as np
import pytest
from conftest import ROOT

CHECKPOINT = ROOT / "tests" / "golden" / "training" / "checkpoints" / "paligemma"
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
