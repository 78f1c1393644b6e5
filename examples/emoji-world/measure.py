#!/usr/bin/env python3
"""What the world's models reach on scenes that training never showed: a table, from `paligemma eval` alone.

    examples/emoji-world/measure.py MODEL SIGLIP CODEC TEST UNSEEN OUT [LIMIT]

MODEL, SIGLIP: folders. CODEC: mask_codec.npz. TEST, UNSEEN: what `emoji-world scenes --split test|unseen` made, at the
models' size. OUT: a folder for the answers (a run that was stopped goes on) and figures.json. LIMIT: the first so many
cases of each file.

The sets of captions are compared here: a caption is right if it names exactly the things and the place of its scene.
"""
import json
import pathlib
import re
import subprocess
import sys

LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "nl", "zh")


def evaluate(task, model, data, out, *more):
    """The figures of `paligemma eval`; its answers stay in out/NAME.jsonl."""
    command = ["paligemma", "eval", "--task", task, "-m", model, "--data", str(data), "--json", *more]
    if out:
        command += ["--out", str(out)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["figures"]


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def phrase_names(names, language):
    """(pattern, English name) of all things and places, the longest first: "top hat" before "hat"."""
    phrases = []
    for thing in names["things"]:
        english = thing["names"]["en"]
        phrases.append((thing["names"][language], english))
        if language == "en":
            phrases.append((thing["plural"], english))
    for place in names["places"]:
        phrases.append((place["phrases"][language], "place " + place["name"]))
    edge = r"(?<!\w)%s(?!\w)" if language != "zh" else "%s"
    phrases.sort(key=lambda phrase: -len(phrase[0]))
    return [(re.compile(edge % re.escape(text)), name) for text, name in phrases]


def named_in(caption, phrases):
    found = set()
    for pattern, name in phrases:
        caption, count = pattern.subn("|", caption)
        if count:
            found.add(name)
    return found


def caption_sets(model, folder, out, language, more):
    """Share of the scenes of 1 to 3 objects whose caption names exactly what is there."""
    answers = out / f"caption-{language}.jsonl"
    evaluate("caption", model, folder / f"caption-{language}.jsonl", answers, *more)
    phrases = phrase_names(json.loads((folder / "names.json").read_text()), language)
    truth = {row["image"]: row for row in read_lines(folder / "truth.jsonl")}
    right = count = 0
    for answer in read_lines(answers):
        scene = truth[answer["image"]]
        if not 1 <= len(scene["objects"]) <= 3:
            continue
        expected = {one["name"] for one in scene["objects"]} | {"place " + scene["place"]}
        count += 1
        right += named_in(answer["text"] or "", phrases) == expected
    return right / count


def measure(model, siglip, codec, test, unseen, out, limit):
    more = ["--limit", limit] if limit else []
    for folder in out / "test", out / "unseen":
        folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    sets = {language: caption_sets(model, test, out / "test", language, more) for language in LANGUAGES}
    figures["captions, English"] = sets["en"]
    figures["captions, 7 languages"] = sum(sets[language] for language in LANGUAGES[1:]) / 7
    for language in LANGUAGES[1:]:
        figures[f"captions, {language}"] = sets[language]
    vqa = evaluate("vqa", model, test / "vqa.jsonl", out / "test/vqa.jsonl", *more)
    figures["VQA"] = vqa["accuracy"]
    for kind in "where", "count", "exists":
        figures[f"VQA, {kind}"] = vqa.get(f"accuracy {kind}")
    figures["VQA, blank picture"] = evaluate("vqa", model, test / "vqa.jsonl", None, "--blank", *more)["accuracy"]
    figures["detection AP50"] = evaluate("detect", model, test / "instances.json", None, *more)["AP50"]
    segments = evaluate("segment", model, test / "instances.json", None, "--codec", codec, *more)
    figures["segmentation mIoU"] = segments["mIoU of found objects"]
    figures["OCR exact"] = evaluate("ocr", model, test / "ocr.jsonl", out / "test/ocr.jsonl", *more)["exact match"]
    template = ["--template", "a photo of a {}"]
    figures["zero-shot, SigLIP"] = evaluate("classify", siglip, test / "zeroshot.jsonl", None, *template)["top-1"]
    figures["captions, unseen pairs"] = caption_sets(model, unseen, out / "unseen", "en", more)
    figures["unseen / seen"] = figures["captions, unseen pairs"] / sets["en"] if sets["en"] else 0
    return figures


def main():
    if len(sys.argv) not in (7, 8):
        sys.exit(__doc__.strip())
    model, siglip, codec = sys.argv[1:4]
    test, unseen, out = map(pathlib.Path, sys.argv[4:7])
    figures = measure(model, siglip, codec, test, unseen, out, sys.argv[7] if len(sys.argv) == 8 else None)
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("| figure | reached |\n|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value:.3f} |")


if __name__ == "__main__":
    main()
