"""The plain interface, and pictures."""
import io
import json
import threading

import numpy as np
import pytest
from conftest import ROOT, close


@pytest.fixture(scope="module")
def m(paligemma, tiny):
    return paligemma.load(tiny.checkpoint)


@pytest.fixture(scope="module")
def siglip(paligemma, tiny_siglip):
    return paligemma.load(tiny_siglip.checkpoint)


def test_answers(m, tiny, cow):
    wanted = tiny.facts["prompts"][0]["text"]
    assert m.caption(cow) == wanted
    assert m.caption([cow, tiny.images / "lily.jpg"])[0] == wanted
    assert m.ask(tiny.images / "lily.jpg", "Where is the cow standing?",
                 max_new_tokens=30) == tiny.facts["prompts"][1]["text"]
    assert m.ocr(tiny.image("gray.jpg"), max_new_tokens=30) == m.generate(
        "ocr", tiny.image("gray.jpg"), max_new_tokens=30).text
    assert m.kind == "paligemma" and m.describe()["architecture"]


def test_an_answer_in_full(m, tiny, cow):
    answer = m.generate("caption en", cow, top_logits=5)
    assert str(answer) == answer.text == tiny.facts["prompts"][0]["text"]
    assert answer.tokens.tolist() == tiny.arrays["prompt.00.generated"].tolist()
    assert len(answer.logprobs) == len(answer.tokens) and (answer.logprobs <= 0).all()
    assert (answer.finish, answer.prompt_tokens) == ("stop", 21)
    assert set(answer.timings) == {"pictures", "prefill", "first_token", "decode"}
    beams = m.generate("caption en", cow, beams=3, beams_returned=2, max_new_tokens=5).beams
    assert len(beams) == 2 and beams[0].score >= beams[1].score
    with pytest.raises(TypeError, match="temprature"):
        m.generate("caption en", cow, temprature=1)


def test_streams(m, tiny, cow):
    pieces = list(m.stream(cow, "caption en"))
    assert "".join(pieces) == tiny.facts["prompts"][0]["text"] and len(pieces) > 2
    stream = m.stream(cow, "caption en", max_new_tokens=500, min_new_tokens=500)
    next(stream)
    stream.close()  # ends the answer; else the next one would wait for 500 tokens
    assert m.caption(cow) == tiny.facts["prompts"][0]["text"]
    with pytest.raises(ValueError, match="context"):
        list(m.stream(cow, "word " * 9000))


def test_nothing_gives_nothing(m, siglip):
    assert m.caption([]) == m.detect([], "cow") == siglip.classify([], ["cow"]) == []
    assert siglip.embed(images=[]).shape == (0, 48)


def test_a_callback_cannot_ask_its_model(m, cow):
    request = m._request("caption en", cow, "task", False, (), {})
    with pytest.raises(RuntimeError, match="a callback"):
        m.engine.generate([request], on_text=lambda index, text: m.caption(cow))


def test_gemma_streams_without_a_picture(paligemma, tiny_gemma):
    gemma = paligemma.load(tiny_gemma.checkpoint)
    prompt = tiny_gemma.facts["prompts"][0]
    assert "".join(gemma.stream(prompt["prompt"], style="text")) == prompt["text"]
    with pytest.raises(paligemma.UnsupportedError, match="look at pictures"):
        gemma.caption(np.zeros((4, 4), np.uint8))


def test_choices(m, cow):
    chances = m.choose(cow, "answer en is this a cow?", ["yes", "no", "a horse"])
    assert sum(chances.values()) == pytest.approx(1) and list(chances.values()) == sorted(chances.values())[::-1]
    assert set(m.classify(cow, ["cow", "dog"])) == {"cow", "dog"}


def test_choices_of_one_or_many(m, siglip, tiny, tiny_siglip, cow):
    lily, texts = tiny.images / "lily.jpg", ["a cow", "a lily"]
    both = m.choose([cow, lily], "caption en", texts)
    assert both == [m.choose(cow, "caption en", texts), m.choose(lily, "caption en", texts)] and both[0] != both[1]
    assert m.classify([cow, lily], texts) == both and m.choose([], "caption en", texts) == []
    assert m.choose(cow, "caption en", "a cow") == m.classify(cow, "a cow") == {"a cow": 1}
    assert set(m.choose(None, "caption en", texts)) == set(texts)
    one = siglip.classify(cow, "cow")
    assert list(one) == ["cow"] and one == siglip.classify(cow, ["cow"])
    assert siglip.classify(cow, "cow", "a photo of a {}") == siglip.classify(cow, ["cow"], ["a photo of a {}"]) != one


def test_styles_have_names(m, cow):
    for call in (lambda: m.generate("caption en", cow, style="bogus"), lambda: list(m.stream(cow, "a", style="bogus"))):
        with pytest.raises(ValueError, match="style='bogus', expected one of task, text, chat"):
            call()


def test_detections(paligemma, m, tiny, cow):
    found = m.detect(cow, ["cow", "dog"], max_objects=3)
    assert 1 <= len(found) <= 3 and found.boxes.shape == (len(found), 4) and found.masks is None
    assert set(found.labels) <= {"cow", "dog"} and (found.scores <= 1).all()
    assert (found.boxes[:, 2] > found.boxes[:, 0]).all() and (found.boxes[:, 2] <= 240).all()
    assert found[0]["label"] == found.labels[0]
    assert found._repr_png_().startswith(b"\x89PNG")
    assert [len(each) <= 1 for each in m.detect([cow, tiny.image("lily.jpg")], "cow", max_objects=1)] == [True] * 2
    parsed = paligemma.parse("<loc0100><loc0200><loc0300><loc0400> cat ; <loc0001> dog", 1023, 1023)
    assert parsed.boxes.tolist() == [[200, 100, 400, 300]] and parsed.labels == ["cat"]
    assert parsed.problems == ["loc_count_1"] and np.isnan(parsed.scores).all()


def make_codec(paligemma, folder):
    """A mask codec of one step: its masks mean nothing, but they are masks."""
    (folder / "masks").mkdir()
    for n in (1, 2):
        mask = np.zeros((16, 8 * n), np.uint8)
        mask[8:] = 255
        paligemma.Picture(mask).save(folder / "masks" / f"{n}.png")
    trainer = paligemma.Trainer(data=f"{folder / 'masks'},kind=masks", out=folder / "run",
                                objective="maskcodec", steps=1, batch=2, warmup=0, threads=1)
    trainer.train()
    return folder / "run" / "last" / "mask_codec.npz"


def test_segmentation(paligemma, tiny, cow, tmp_path):
    model = paligemma.load(tiny.checkpoint, codec=make_codec(paligemma, tmp_path))
    found = model.segment(cow, "cow", max_objects=2)
    assert len(found) and found.masks.shape == (len(found), 168, 240) and found.masks.dtype == bool
    drawn = found.draw()
    assert drawn.size == (240, 168) and (drawn.pixels != found.picture.pixels).any()
    beside = tmp_path / "beside"
    beside.mkdir()
    for file in tiny.checkpoint.iterdir():
        (beside / file.name).symlink_to(file)
    (beside / "mask_codec.npz").symlink_to(tmp_path / "run" / "last" / "mask_codec.npz")
    assert (paligemma.load(beside).segment(cow, "cow", max_objects=2).masks == found.masks).all()
    supervision = pytest.importorskip("supervision")
    assert isinstance(found.to_supervision(), supervision.Detections)


def test_segmentation_needs_the_model_s_codec(paligemma, m, cow):
    with pytest.raises(ValueError, match=r"no mask codec; load\(..., codec=FILE\)"):
        m.segment(cow, "cow")
    assert m.detect(cow, "cow", max_objects=1).masks is None


def test_other_packages(m, cow):
    pandas = pytest.importorskip("pandas")
    supervision = pytest.importorskip("supervision")
    found = m.detect(cow, ["cow", "dog"], max_objects=3)
    frame, theirs = found.to_pandas(), found.to_supervision()
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns) == ["label", "score", "x1", "y1", "x2", "y2"]
    assert isinstance(theirs, supervision.Detections) and len(theirs) == len(found)
    assert list(theirs.data["class_name"]) == found.labels


def test_recognition(siglip, tiny_siglip):
    texts = tiny_siglip.facts["texts"][:3]
    images = [tiny_siglip.images / name for name in tiny_siglip.facts["images"]]
    rows = siglip.classify(images, texts)
    wanted = tiny_siglip.arrays["probabilities"]
    close([[row[text] for text in texts] for row in rows], wanted[:, :3], 1e-4)
    assert siglip.classify(images[0], ["cow", "dog"], templates=["a photo of a {}"])
    close(siglip.embed(images=images), tiny_siglip.arrays["image_embeds"])
    close(siglip.embed(texts=texts[0]), tiny_siglip.arrays["text_embeds"][0])


def test_intermediates(m, tiny, cow):
    close(m.trace("caption en", cow, names=["features"])["features"], tiny.arrays["image.cow.jpg.features"])
    states = m.hidden_states("caption en", cow)
    assert states.shape == (4, 21, 64)
    close(states[0], tiny.arrays["trace.text.input"])
    with pytest.raises(KeyError, match="soup"):
        m.trace("caption en", cow, names=["soup"])


def test_pictures(paligemma, tiny, cow, tmp_path):
    picture = paligemma.Picture(cow)
    array = np.asarray(picture)
    assert array.shape == (168, 240, 3) and picture.size == (240, 168) and not array.flags.writeable
    assert array.ctypes.data == picture.pixels.ctypes.data  # not a copy
    image = tiny.image("cow.jpg")
    for source in (image, np.array(image), cow.read_bytes(), np.moveaxis(np.array(image), 2, 0),
                   np.array(image) / 255, np.array(image.convert("RGBA")), str(cow), picture.to_pil()):
        assert (paligemma.Picture(source).pixels == array).all()
    assert (paligemma.Picture(np.array(image.convert("L"))).pixels == np.array(image.convert("L").convert("RGB"))).all()
    resized = picture.resize(56, 56)
    assert (resized.pixels == tiny.arrays["image.cow.jpg.resized"]).all()
    assert resized.draw_heat(np.eye(4)).size == (56, 56)
    resized.save(tmp_path / "small.png")
    assert (paligemma.Picture(tmp_path / "small.png").pixels == resized.pixels).all()
    from PIL import Image
    assert Image.open(io.BytesIO(picture._repr_png_())).size == (240, 168)


def test_what_is_no_picture(paligemma):
    for source, kind, text in ((12, TypeError, "expected a picture"),
                               (np.zeros((2, 2, 2), np.uint8), ValueError, "shape"),
                               (np.zeros((2, 2), np.int64), TypeError, "int64"),
                               (np.full((2, 2), 255.0), ValueError, "0 to 1"),
                               ("https://example.com/cow.jpg", NotImplementedError, "not downloaded")):
        with pytest.raises(kind, match=text):
            paligemma.Picture(source)


def test_arrays_outlive_what_they_come_from(paligemma, m, cow):
    pixels = paligemma.Picture(cow).pixels
    tokens = m.generate("caption en", cow).tokens
    assert pixels.sum() == paligemma.Picture(cow).pixels.sum()
    assert tokens[-1] == 1


def test_threads_take_turns(m, tiny, cow):
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(m.caption(cow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [tiny.facts["prompts"][0]["text"]] * 4


def test_models_of_the_hub(paligemma, tiny, cow, hub):
    folders = hub.add("org/tiny", tiny.checkpoint)
    assert paligemma.load("org/tiny").folder == str(folders["main"])
    assert paligemma.load("hub:org/tiny@v2").caption(cow) == tiny.facts["prompts"][0]["text"]
    with pytest.raises(paligemma.FileError, match="HF_HUB_OFFLINE"):
        paligemma.load("org/nothing")


def test_the_model_that_ships(paligemma, tmp_path, monkeypatch):
    monkeypatch.delenv("PALIGEMMA_MODEL", raising=False)
    if (ROOT / "models" / "world" / "config.json").is_file():
        assert paligemma.load().kind == "paligemma"
    monkeypatch.setenv("PALIGEMMA_MODELS", str(tmp_path))
    with pytest.raises(paligemma.FileError, match="world"):
        paligemma.load()
    with pytest.raises(ValueError, match="kind"):
        paligemma.load(kind="gemma")


def test_models_are_saved(paligemma, m, cow, tmp_path):
    m.save(tmp_path / "copy", dtype="BF16")
    assert json.loads((tmp_path / "copy" / "config.json").read_text())["dtype"] == "bfloat16"
    assert paligemma.load(tmp_path / "copy", compute="f32").caption(cow, max_new_tokens=2)


def test_models_are_mixed(paligemma, m, tiny, tmp_path):
    prompt = tiny.facts["prompts"][0]["text"]
    m.save(tmp_path / "own", mix=m, share=0.25)
    assert (paligemma.load(tmp_path / "own", compute="f32").hidden_states(prompt) == m.hidden_states(prompt)).all()
    with pytest.raises(ValueError, match="share: 2, expected 0 to 1"):
        m.save(tmp_path / "more", mix=m, share=2)
    assert not (tmp_path / "more").exists()
