#!/usr/bin/env python3
"""Checks what examples/emoji-world makes: the same for any number of workers, true to its pictures, and split cleanly.

    world_test.py EMOJI_WORLD PALIGEMMA
"""
import filecmp
import json
import pathlib
import string
import subprocess
import sys
import tempfile

WORLD, PALIGEMMA = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "golden/inference/paligemma-tiny-f32/checkpoint"
LETTERS = string.ascii_letters + string.digits
COUNTS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def make(folder, scenes, *options, what="scenes"):
    run(WORLD, what, "--out", folder, "--scenes", scenes, *options)
    return folder


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def names_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def check_same(one, other):
    """Workers, and where a run begins, change nothing."""
    assert names_of(one) == names_of(other)
    _, mismatch, errors = filecmp.cmpfiles(one, other, names_of(one), shallow=False)
    assert not mismatch and not errors, (mismatch, errors)


def pixels(counts, height):
    """Set pixels of COCO's runs, as (x, y)."""
    at, value = 0, 0
    for length in counts:
        if value:
            yield from ((index // height, index % height) for index in range(at, at + length))
        at += length
        value = 1 - value


def check_masks(folder, size):
    """A mask covers all of a picture in its runs, its box is its bounds, and no two masks share a pixel."""
    taken = {}
    for annotation in json.loads((folder / "instances.json").read_text())["annotations"]:
        mask = annotation["segmentation"]
        assert mask["size"] == [size, size] and sum(mask["counts"]) == size * size
        points = set(pixels(mask["counts"], size))
        left, top, width, height = annotation["bbox"]
        columns, lines = {x for x, _ in points}, {y for _, y in points}
        assert (min(columns), max(columns) + 1) == (left, left + width), annotation["id"]
        assert (min(lines), max(lines) + 1) == (top, top + height), annotation["id"]
        assert len(points) == annotation["area"]
        others = taken.setdefault(annotation["image_id"], set())
        assert not points & others
        others |= points


def check_truth(folder):
    """Objects are seen well, and stand from left to right."""
    for row in rows(folder / "truth.jsonl"):
        middles = [row_object["box"][0] + row_object["box"][2] for row_object in row["objects"]]
        assert middles == sorted(middles), row["scene"]
        assert all(row_object["visible"] >= 0.6 for row_object in row["objects"]), row["scene"]


def check_captions(folder):
    """A caption names the objects of the truth, each as often as it is there."""
    things = json.loads((folder / "names.json").read_text())["things"]
    singular = {thing["plural"]: thing["names"]["en"] for thing in things}
    for caption, truth in zip(rows(folder / "caption-en.jsonl"), rows(folder / "truth.jsonl")):
        text = caption["suffix"].replace(" and ", ", ").split(", ")
        said = {}
        for part in text:
            number, name = part.split(" ", 1)
            name = next(known for length in range(len(name), 0, -1)
                        for known in [name[:length]] if known in singular or known in singular.values())
            said[singular.get(name, name)] = COUNTS[number]
        there = [thing["name"] for thing in truth["objects"]]
        assert said == {name: there.count(name) for name in there}, (caption, truth)


def pairs_of(folder):
    return {(thing["name"], row["place"]) for row in rows(folder / "truth.jsonl") for thing in row["objects"]
            if thing["name"] != "sign"}


def signs_of(folder):
    return {line.lower() for row in rows(folder / "ocr.jsonl") for line in row["suffix"].split("\n")}


def check_splits(train, test, unseen):
    """What is held out is nowhere else: scenes, texts of signs, pairs of an object and a place."""
    pictures = {path.read_bytes() for path in (train / "images").rglob("*.jpg")}
    assert not any(path.read_bytes() in pictures for path in (test / "images").rglob("*.jpg"))
    assert not signs_of(train) & signs_of(test)
    assert not signs_of(train) & signs_of(unseen)
    assert not (pairs_of(train) | pairs_of(test)) & pairs_of(unseen)
    share = len(pairs_of(unseen)) / (len(pairs_of(unseen)) + len(pairs_of(train)))
    assert 0.07 < share < 0.12, share


def letters_in(labels):
    return [label.removeprefix("letter ") for label in labels if label.startswith("letter ")]


def check_letters(folder):
    """A patch of a sign is labelled with one of its letters or as in patches.jsonl, and nearly all letters have a patch."""
    texts = {row["image"]: row["suffix"].replace("\n", "") for row in rows(folder / "ocr.jsonl")}
    patches = {row["image"]: row["label"] for row in rows(folder / "patches.jsonl")}
    labels = {row["image"]: row["label"] for row in rows(folder / "letters.jsonl")}
    assert list(labels) == list(texts)
    found = count = 0
    for image, text in texts.items():
        assert set(letters_in(labels[image])) <= set(text), image
        assert all(label == other for label, other in zip(labels[image], patches[image]) if not letters_in([label]))
        found += len(set(letters_in(labels[image])))
        count += len(set(text))
    assert found > 0.9 * count, (found, count)


def check_order(folder):
    """Letters stand where they are: the first patches, column by column, show a line's letters as it is read."""
    right = count = 0
    texts = {row["image"]: row["suffix"] for row in rows(folder / "ocr.jsonl")}
    for row in rows(folder / "letters.jsonl"):
        text = texts.get(row["image"], "")
        if "\n" in text or len(set(text)) != len(text) or not text:
            continue
        across = int(len(row["label"]) ** 0.5)
        seen = letters_in(row["label"][line * across + column] for column in range(across) for line in range(across))
        first = list(dict.fromkeys(seen))
        right += first == [letter for letter in text if letter in first]
        count += 1
    assert count and right > 0.8 * count, (right, count)


def check_windows(train, test):
    """What is read in windows is held out as in scenes, and stands in them as a whole."""
    assert not signs_of(train) & signs_of(test)
    for folder in train, test:
        labels = {row["image"]: row["label"] for row in rows(folder / "letters.jsonl")}
        assert all(any(letters_in(patches)) for patches in labels.values())
        for row in rows(folder / "ocr.jsonl"):
            assert set(letters_in(labels[row["image"]])) <= set(row["suffix"]), row
        assert not (folder / "instances.json").exists()
        check_order(folder)


def check_primer(train, test, size):
    """In some pictures a letter for each patch, in others as they come, in half of them texts, held out as those of signs."""
    assert not signs_of(train) & signs_of(test)
    labels = {row["image"]: row["label"] for row in rows(train / "letters.jsonl")}
    texts = {row["image"]: row["suffix"] for row in rows(train / "ocr.jsonl")}
    patches = (size // 14) ** 2
    full = sum(len(letters_in(row)) == patches for row in labels.values())
    assert 0.15 * len(labels) < full < 0.6 * len(labels), full
    assert 0.35 * len(labels) < len(texts) < 0.65 * len(labels), len(texts)
    for image, row in labels.items():
        assert len(row) == patches
        if image in texts:
            assert set(letters_in(row)) <= set(texts[image]), image
        else:
            assert len(letters_in(row)) > patches / 3, image
    assert {label for row in labels.values() for label in row} == {"sign"} | {f"letter {one}" for one in LETTERS}


def check_balance(folder):
    """Answers without looking at the picture are right as seldom as they should be."""
    answers = {}
    for row in rows(folder / "vqa.jsonl"):
        counts = answers.setdefault(row["type"], {})
        counts[row["suffix"]] = counts.get(row["suffix"], 0) + 1
    for kind, most in (("where", 0.13), ("count", 0.3), ("exists", 0.55)):
        assert max(answers[kind].values()) < most * sum(answers[kind].values()), (kind, answers[kind])


def check_readable(folder):
    """The program reads every file without a bad row."""
    kinds = [[path] for path in sorted(folder.glob("*.jsonl")) if path.name != "truth.jsonl"]
    if (folder / "instances.json").exists():
        kinds.append([folder / "instances.json", "--kind", "coco-detect"])
    for arguments in kinds:
        report = run(PALIGEMMA, "data", "check", "-m", MODEL, "-n", 0, "--max-bad", 0, *arguments)
        assert "bad        0 " in report, report


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        train = make(work / "train", 1500, "--threads", 1)
        check_same(train, make(work / "again", 1500, "--threads", 3))
        large = make(work / "large", 40, "--size", 224)
        for file in ("caption-en.jsonl", "vqa.jsonl"):
            assert rows(large / file) == rows(train / file)[:len(rows(large / file))]
        test = make(work / "test", 600, "--split", "test")
        unseen = make(work / "unseen", 600, "--split", "unseen")
        check_splits(train, test, unseen)
        check_balance(train)
        for folder, size in ((test, 112), (large, 224)):
            check_masks(folder, size)
        for folder in (train, test, unseen):
            check_truth(folder)
            check_captions(folder)
        signs = make(work / "signs", 60, "--size", 224, "--signs")
        assert len(rows(signs / "ocr.jsonl")) == 60
        for folder in large, signs:
            check_letters(folder)
            check_order(folder)
        for what, options in (("letters", ()), ("primer", ("--size", 56))):
            one = make(work / what, 200, "--threads", 1, *options, what=what)
            check_same(one, make(work / f"{what}-again", 200, "--threads", 3, *options, what=what))
        check_windows(work / "letters", make(work / "letters-test", 100, "--split", "test", what="letters"))
        held_out = make(work / "primer-test", 100, "--split", "test", "--size", 56, what="primer")
        check_primer(work / "primer", held_out, 56)
        check_readable(test)
        check_readable(work / "letters")
        check_readable(work / "primer")
    print("the world is as it says")


main()
