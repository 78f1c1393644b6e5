"""Training: the library's runs, with data and callbacks from Python.

    trainer = paligemma.Trainer("paligemma-3b-pt-224", rows, out="runs/receipts", recipe="lora", epochs=3)
    trainer.train(lambda report: print(report.step, report.train.loss))
    trainer.best().ask("receipt.png", "total")
"""
from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from . import _header as header
from ._configuration import require_folder
from ._model import Model, load
from ._native import encode, library, make, path_bytes
from ._picture import as_picture
from ._types import PathLike

ROW_KEYS = ("image", "images", "prefix", "prompt", "suffix", "suffixes", "chosen", "rejected", "text", "label")


@dataclasses.dataclass(frozen=True)
class Measurement:
    loss: float
    accuracy: float
    rows: int
    tokens: int


@dataclasses.dataclass(frozen=True)
class Report:
    """One step: what paligemma.h's pg_train_report says. `validation` is None where it was not measured."""
    step: int
    steps: int
    train: Measurement
    validation: Measurement | None
    gradient_norm: float
    learning_rate: float
    seconds: float
    waited: float
    bad_rows: int
    best_loss: float
    saved: bool
    finished: bool


def _measurement(c):
    return Measurement(c.loss, c.accuracy, c.rows, c.tokens)


def _report(c):
    plain = {field.name: getattr(c, field.name) for field in dataclasses.fields(Report)}
    return Report(**{**plain, "train": _measurement(c.train),
                     "validation": _measurement(c.validation) if c.validated else None})


def settings() -> dict[str, tuple[str | None, str]]:
    """All settings of a run: {name: (argument, help)}."""
    found, i = {}, 0
    while setting := library.pg_train_setting_at(i):
        argument = setting.contents.argument
        found[setting.contents.name.decode()] = (argument and argument.decode(), setting.contents.help.decode())
        i += 1
    return found


class Trainer:
    """A run in the folder `out`: a checkpoint, curves, best/ and last/. A run that was stopped goes on when the same
    Trainer is made again.

    model       folder to start from, or an open model; None: $PALIGEMMA_MODEL, else the one that ships
    data        rows to train on: files (or a list of them) as `paligemma train --data` takes them, or anything that
                gives rows when it is gone through: a list, a torch Dataset or DataLoader. A row is a dictionary with
                "image" (a file, PIL image or array; "images" for several), "prefix" and "suffix" (or "chosen" and
                "rejected", "text", "label"). A DataLoader's batches, dictionaries of lists, are taken apart. Such rows
                are written to OUT/data once, pictures as PNG; shuffling is the trainer's
    validation  the same, held out
    settings    learning_rate, steps, recipe, ...: paligemma.training_settings() names all of them
    """

    def __init__(self, model: Any = None, data: Any = None, out: PathLike | None = None, validation: Any = None,
                 **settings: Any):
        if data is None or out is None:
            raise TypeError("a Trainer needs data and out, the folder of the run")
        self.folder = os.fspath(out)
        engine = getattr(model, "engine", None)
        if engine is not None and engine.adapter is not None:
            raise ValueError(f"a run cannot begin with the adapter {engine.adapter}: save() the model with it merged, or "
                             "name adapter=FOLDER to go on with its factors")
        folder = require_folder(model) if engine is None and model is not None else getattr(engine, "folder", None)
        self._config = make(header.pg_train_config, library.pg_train_config_new, library.pg_train_config_free)
        if "recipe" in settings:
            library.pg_train_config_use(self._config, encode(settings.pop("recipe")))
        self._set("out", self.folder)
        for name, value in settings.items():
            self._set(name, value)
        if folder is not None:
            self._set("model", folder)
        for name, rows in (("data", data), ("validation", validation)):
            for path in self._files_of(name, rows):
                self._set(name, path)
        usual = os.environ.get("PALIGEMMA_MODEL")
        library.pg_train_config_complete(self._config, usual and path_bytes(usual))
        self._trainer = make(header.pg_trainer, library.pg_trainer_open, library.pg_trainer_close, self._config)

    def _set(self, name, value):
        text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
        text = text.lower() if isinstance(value, bool) else text
        library.pg_train_config_set(self._config, encode(name), encode(text))

    def _files_of(self, name, rows):
        if rows is None:
            return []
        if isinstance(rows, (str, os.PathLike)):
            return [rows]
        if isinstance(rows, (list, tuple)) and rows and all(isinstance(row, (str, os.PathLike)) for row in rows):
            return rows
        return [write_rows(rows, os.path.join(self.folder, "data", name))]

    def __iter__(self) -> Iterator[Report]:
        """Steps until the run is finished; a Report of each."""
        c = header.pg_train_report()
        while not c.finished:
            library.pg_trainer_step(ctypes.byref(c), self._trainer)
            yield _report(c)

    def train(self, *callbacks: Callable[[Report], Any]) -> Report | None:
        """All steps that are left. Each callback gets the Report of each step; one that returns False stops the run,
        which is saved and can go on. Returns the last report."""
        report = None
        for report in self:
            if any([callback(report) is False for callback in callbacks]):
                self.save()
                break
        return report

    def validate(self) -> Measurement:
        """The Measurement of the validation rows as the weights are now."""
        c = header.pg_measurement()
        library.pg_trainer_validate(ctypes.byref(c), self._trainer)
        return _measurement(c)

    def save(self) -> None:
        """Writes the checkpoint."""
        library.pg_trainer_save(self._trainer)

    def export(self, folder: PathLike) -> None:
        """Writes the model or adapter as it is now into a new folder."""
        library.pg_trainer_export(path_bytes(folder), self._trainer)

    def best(self) -> Model:
        """The model that was best on the validation rows, or the last one where nothing was validated."""
        found = next((path for path in (pathlib.Path(self.folder, name) for name in ("best", "last")) if path.is_dir()),
                     None)
        if found is None:
            raise FileNotFoundError(f"{self.folder}: neither best nor last is there yet; train() makes them")
        if (found / "adapter_config.json").is_file():
            config = json.loads(pathlib.Path(self.folder, "config.json").read_text("utf-8"))
            return load(config["model"], adapter=found)
        return load(found)


# ---------------------------------------------------------------- rows


def write_rows(rows, folder):
    """Writes rows as JSON lines with their pictures into a folder, which appears as a whole; one that is there already
    is taken as it is, so that a run goes on with the same rows. Returns the file."""
    path = pathlib.Path(folder) / "rows.jsonl"
    if path.is_file():
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        if _texts_of(found) != _texts_of(_row_of(row, None, i) for i, row in enumerate(_rows_in(rows))):
            raise ValueError(f"{path} has other rows than these: begin another run, with another `out`")
        return path
    made = pathlib.Path(f"{folder}.{os.getpid()}")
    made.mkdir(parents=True)
    try:
        with open(made / "rows.jsonl", "w", encoding="utf-8") as out:
            count = 0
            for row in _rows_in(rows):
                out.write(json.dumps(_row_of(row, made, count), ensure_ascii=False) + "\n")
                count += 1
        if not count:
            raise ValueError("the data have no rows")
        os.rename(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return path


def _rows_in(data):
    """Rows one by one: of a Dataset that only has an index, of a DataLoader the rows of its batches."""
    items = data if hasattr(data, "__iter__") else (data[i] for i in range(len(data)))
    batches = hasattr(data, "dataset") and getattr(data, "batch_size", None) is not None
    for item in items:
        if not batches:
            yield item
        elif isinstance(item, dict):
            yield from _rows_of_batch(item)
        else:
            yield from item


def _rows_of_batch(batch):
    """Rows of a dictionary of columns, as torch's DataLoader makes it; a row's lists it turns into columns of columns."""
    for name in ("images", "suffixes"):
        if name in batch:
            raise ValueError(f"rows with {name!r}: the DataLoader has taken their lists apart; give it collate_fn=list")
    if len({len(column) for column in batch.values()}) > 1:
        raise ValueError("a batch has columns of different lengths: " +
                         ", ".join(f"{name} {len(column)}" for name, column in batch.items()))
    return (dict(zip(batch, values)) for values in zip(*batch.values()))


def _texts_of(rows):
    """What tells sets of rows from one another: without the names of pictures that were made for them, and in any order,
    for DataLoaders shuffle."""
    return sorted(json.dumps({name: value for name, value in row.items() if name != "image" or _is_given(value)},
                             sort_keys=True) for row in rows)


def _is_given(names):
    return all(os.path.isabs(name) for name in ([names] if isinstance(names, str) else names))


def _row_of(row, folder, number):
    """The row as JSON has it; its pictures are files beside. folder: None where they are there already."""
    unknown = sorted(set(row) - set(ROW_KEYS))
    if unknown:
        raise ValueError(f"row {number} has {unknown[0]!r}, expected {', '.join(ROW_KEYS)}")
    row = {name: value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
           for name, value in row.items()}
    images = row.pop("images", None)
    if images is None and "image" in row:
        images = row.pop("image")
    if images is not None:
        many = isinstance(images, (list, tuple))
        names = [_image_name(image, folder, f"{number:06}-{i}.png") for i, image in
                 enumerate(images if many else [images])]
        row["image"] = names if many else names[0]
    return row


def _image_name(image, folder, name):
    if isinstance(image, (str, os.PathLike)):
        return os.path.abspath(image)
    if folder is not None:
        as_picture(image).save(folder / name)
    return name
