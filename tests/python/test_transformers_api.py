"""The interface of transformers, against what transformers computes."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, close

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="module")
def model(paligemma, tiny):
    return paligemma.PaliGemmaForConditionalGeneration.from_pretrained(tiny.checkpoint)


@pytest.fixture(scope="module")
def processor(paligemma, tiny):
    return paligemma.AutoProcessor.from_pretrained(tiny.checkpoint)


def images_of(case, prompt):
    return [case.image(name) for name in prompt["images"]]


def run_snippet(package, *arguments):
    script = pathlib.Path(__file__).parent / "seed_snippet.py"
    return subprocess.run([sys.executable, script, package, *map(str, arguments)], env=ENVIRONMENT, check=True,
                          stdout=subprocess.PIPE).stdout.decode("utf-8")


def test_seed_snippet(tiny, cow):
    printed = run_snippet("paligemma", tiny.checkpoint, cow, "caption en")
    assert printed == "caption en\n" + tiny.facts["prompts"][0]["text"] + "\n"


def test_seed_snippet_of_transformers(tiny, cow):
    pytest.importorskip("transformers")
    arguments = (tiny.checkpoint, cow, "caption en")
    assert run_snippet("paligemma", *arguments) == run_snippet("transformers", *arguments)


def test_all_prompts(model, processor, tiny):
    for number, prompt in enumerate(tiny.facts["prompts"]):
        inputs = processor(text=prompt["prompt"], images=[images_of(tiny, prompt)], return_tensors="np")
        assert (inputs.input_ids[0] == tiny.arrays[f"prompt.{number:02}.input_ids"]).all()
        ids = model.generate(**inputs, max_new_tokens=30)[0, inputs.input_ids.shape[1]:]
        assert ids.tolist() == tiny.arrays[f"prompt.{number:02}.generated"].tolist()


def test_several_images_of_one_text(model, processor, tiny):
    for number, case in enumerate(tiny.facts["multi_image"]):
        inputs = processor(text=[case["prompt"]], images=[images_of(tiny, case)], return_tensors="np")
        assert (inputs.input_ids[0] == tiny.arrays[f"multi.{number}.input_ids"]).all()
        ids = model.generate(**inputs, max_new_tokens=30)[0, inputs.input_ids.shape[1]:]
        assert ids.tolist() == tiny.arrays[f"multi.{number}.generated"].tolist()


def test_batch_with_padding(model, processor, tiny):
    prompts = [tiny.facts["prompts"][i] for i in tiny.facts["batch"]["prompts"]]
    inputs = processor(text=[p["prompt"] for p in prompts], images=[images_of(tiny, p) for p in prompts],
                       padding=True, return_tensors="np")
    assert (inputs.attention_mask.sum(axis=1) == [52, 18, 27]).all() and inputs.attention_mask[1, 0] == 0
    ids = model.generate(**inputs, max_new_tokens=30)
    assert (ids[:, :52] == inputs.input_ids).all()
    assert (ids[:, 52:] == tiny.arrays["batch.generated"]).all()
    logits = model(**inputs).logits
    close(logits[:, -1], tiny.arrays["batch.logits_last"])


def test_padding_is_left_out_without_a_mask(paligemma, model, processor, tiny, tiny_gemma):
    prompts = [tiny.facts["prompts"][i] for i in tiny.facts["batch"]["prompts"]]
    inputs = processor(text=[p["prompt"] for p in prompts], images=[images_of(tiny, p) for p in prompts],
                       padding=True, return_tensors="np")
    ids = model.generate(inputs.input_ids, pixel_values=inputs.pixel_values, max_new_tokens=30)
    assert (ids[:, 52:] == tiny.arrays["batch.generated"]).all()
    gemma = paligemma.GemmaForCausalLM.from_pretrained(tiny_gemma.checkpoint)
    rows = np.array([[1, 1, 2, 5, 7]])  # <eos> may stand for padding, but says nothing of it
    every = gemma.generate(rows, attention_mask=np.ones_like(rows), max_new_tokens=5).tolist()
    assert gemma.generate(rows, pad_token_id=1, max_new_tokens=5).tolist() == every
    assert gemma.generate(rows, max_new_tokens=5).tolist() == every
    rows[0, :2] = 5
    left = gemma.generate(rows, attention_mask=rows != 5, max_new_tokens=5).tolist()
    assert gemma.generate(rows, pad_token_id=5, max_new_tokens=5).tolist() == left


def test_ways_of_decoding(model, processor, tiny):
    for variant in tiny.facts["variants"]:
        prompt = tiny.facts["prompts"][variant["prompt"]]
        inputs = processor(text=prompt["prompt"], images=images_of(tiny, prompt), return_tensors="np")
        options = {"max_new_tokens": 30, **variant["options"]}
        got = model.generate(**inputs, return_dict_in_generate=True, **options)
        name = f"variant.{variant['prompt']:02}.{variant['name']}"
        ids = got.sequences[:, inputs.input_ids.shape[1]:]
        assert (ids == tiny.arrays[name + ".generated"][:, :ids.shape[1]]).all(), variant
        if name + ".scores" in tiny.arrays:
            close(got.sequences_scores, tiny.arrays[name + ".scores"], 1e-4)


def test_pixel_values(processor, tiny):
    values = processor(text="", images=tiny.image("cow.jpg"), return_tensors="np").pixel_values
    assert values.dtype == np.float32
    assert (values[0] == tiny.arrays["image.cow.jpg.pixel_values"]).all()


def test_forward(model, processor, tiny):
    inputs = processor("caption en", tiny.image("cow.jpg"), return_tensors="np")  # the old order of arguments
    got = model(**inputs, output_hidden_states=True)
    close(got.logits[0], tiny.arrays["prompt.00.logits"])
    close(got.image_hidden_states[0], tiny.arrays["image.cow.jpg.features"])
    assert len(got.hidden_states) == 4 and got.hidden_states[0].shape == (1, 21, 64)
    close(got.hidden_states[0][0], tiny.arrays["trace.text.input"])
    close(got.hidden_states[3][0], tiny.arrays["trace.text.norm"])
    assert got.attentions is None and got.to_tuple()[0] is got.logits


def test_suffixes(model, processor, tiny):
    for number, case in enumerate(tiny.facts["suffix"]):
        inputs = processor(text=case["prompt"], images=images_of(tiny, case), suffix=case["suffix"],
                           return_tensors="np")
        for name in ("input_ids", "labels"):
            assert (inputs[name][0] == tiny.arrays[f"suffix.{number}.{name}"]).all()
        assert model(**inputs).loss == pytest.approx(case["loss"], rel=1e-5)


def test_suffixes_together(model, processor, tiny):
    cases = tiny.facts["suffix"]
    inputs = processor(text=[c["prompt"] for c in cases], images=[images_of(tiny, c)[0] for c in cases],
                       suffix=[c["suffix"] for c in cases], padding="longest", return_tensors="np")
    counts = (inputs.labels != -100).sum(axis=1)
    mean = sum(case["loss"] * count for case, count in zip(cases, counts)) / counts.sum()
    assert model(**inputs).loss == pytest.approx(mean, rel=1e-5)


def test_logits_of_steps(model, processor, tiny):
    inputs = processor(text="caption en", images=tiny.image("cow.jpg"), return_tensors="np")
    got = model.generate(**inputs, max_new_tokens=30, output_logits=True, return_dict_in_generate=True)
    assert len(got.logits) == 8
    best = np.stack([-np.sort(-step[0])[:5] for step in got.logits])
    close(best, tiny.arrays["prompt.00.top_logits"])


def test_sampling_has_a_seed(model, processor, tiny):
    inputs = processor(text="caption en", images=tiny.image("cow.jpg"), return_tensors="np")
    ask = lambda **more: model.generate(**inputs, do_sample=True, max_new_tokens=8, **more).tolist()
    assert ask(seed=3) == ask(seed=3) != ask(seed=4)
    np.random.seed(1)
    first = ask(num_return_sequences=3)
    np.random.seed(1)
    assert first == ask(num_return_sequences=3)
    assert len(first) == 3 and first[0] != first[1]


def test_stop_strings_and_streamers(paligemma, model, processor, tiny, capsys):
    inputs = processor(text="caption en", images=tiny.image("cow.jpg"), return_tensors="np")
    stopped = model.generate(**inputs, stop_strings="also", tokenizer=processor.tokenizer)
    assert processor.decode(stopped[0], skip_special_tokens=True).endswith(" also")
    model.generate(**inputs, streamer=paligemma.TextStreamer(processor, skip_prompt=True, skip_special_tokens=True))
    assert capsys.readouterr().out == tiny.facts["prompts"][0]["text"] + "\n"
    pieces = paligemma.TextIteratorStreamer(processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
    model.generate(**inputs, streamer=pieces)
    assert "".join(pieces) == tiny.facts["prompts"][0]["text"]


def test_torch_tensors(model, processor, tiny):
    torch = pytest.importorskip("torch")
    inputs = processor(text="caption en", images=tiny.image("cow.jpg"), return_tensors="pt").to("cpu")
    with torch.inference_mode():
        ids = model.generate(**inputs.to(torch.bfloat16), max_new_tokens=30)
    assert isinstance(ids, torch.Tensor)
    assert ids[0, 21:].tolist() == tiny.arrays["prompt.00.generated"].tolist()
    assert isinstance(model(**inputs).logits, torch.Tensor)


def test_gemma(paligemma, tiny_gemma):
    model = paligemma.GemmaForCausalLM.from_pretrained(str(tiny_gemma.checkpoint))
    tokenizer = paligemma.AutoTokenizer.from_pretrained(tiny_gemma.checkpoint)
    texts = [prompt["prompt"] for prompt in tiny_gemma.facts["prompts"][:3]]
    inputs = tokenizer(texts, padding=True, return_tensors="np")
    ids = model.generate(**inputs, max_new_tokens=30)[:, inputs.input_ids.shape[1]:]
    assert (ids == tiny_gemma.arrays["batch.generated"]).all()
    one = tokenizer(texts[0], return_tensors="np")
    close(model(**one).logits[0], tiny_gemma.arrays["prompt.00.logits"])
    text = tiny_gemma.arrays["perplexity.input_ids"][None]
    assert model(text, labels=text).loss == pytest.approx(tiny_gemma.arrays["perplexity.nll"].mean(), rel=1e-5)


def test_siglip(paligemma, tiny_siglip):
    model = paligemma.SiglipModel.from_pretrained(tiny_siglip.checkpoint)
    processor = paligemma.AutoProcessor.from_pretrained(tiny_siglip.checkpoint)
    images = [tiny_siglip.image(name) for name in tiny_siglip.facts["images"]]
    inputs = processor(text=tiny_siglip.facts["texts"], images=images, padding="max_length", return_tensors="np")
    assert (inputs.input_ids == tiny_siglip.arrays["input_ids"]).all()
    got = model(**inputs)
    close(got.logits_per_image, tiny_siglip.arrays["logits_per_image"])
    close(got.image_embeds, tiny_siglip.arrays["image_embeds"])
    close(got.text_embeds, tiny_siglip.arrays["text_embeds"])
    close(model.get_text_features(inputs.input_ids), tiny_siglip.arrays["text_pooled"])


def test_what_siglip_does_not_read(paligemma, tiny_siglip):
    model = paligemma.SiglipModel.from_pretrained(tiny_siglip.checkpoint)
    processor = paligemma.AutoProcessor.from_pretrained(tiny_siglip.checkpoint)
    inputs = processor(text="a cow", images=tiny_siglip.image("cow.jpg"), padding="max_length", return_tensors="np")
    ones = np.ones_like(inputs.input_ids)
    features = model.get_text_features(inputs.input_ids)
    assert (model.get_text_features(inputs.input_ids, attention_mask=ones) == features).all()
    assert model(**inputs, attention_mask=ones).text_embeds.shape == features.shape
    ones[0, -1] = 0
    for call in (lambda: model.get_text_features(inputs.input_ids, attention_mask=ones),
                 lambda: model(**inputs, attention_mask=ones)):
        with pytest.raises(NotImplementedError, match="attention_mask with zeros"):
            call()
    values = inputs.pixel_values
    for wrong in (values[:, :, 1:], values[:, :2], values[0], np.tile(values, (1, 1, 2, 2))):
        with pytest.raises(ValueError, match=r"pixel_values of shape .* expected \[pictures, 3, "):
            model.get_image_features(wrong)


def small_config(paligemma):
    vision = paligemma.SiglipVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                          num_attention_heads=2, patch_size=14, image_size=28)
    text = paligemma.GemmaConfig(vocab_size=300, hidden_size=48, intermediate_size=64, num_hidden_layers=2,
                                 num_attention_heads=2, num_key_value_heads=1, head_dim=16)
    return paligemma.PaliGemmaConfig(vision, text, projection_dim=48, hidden_size=48, image_token_index=299)


def test_untrained_models(paligemma, tmp_path):
    config = small_config(paligemma)
    model = paligemma.PaliGemmaForConditionalGeneration(config)
    ids = np.array([[299] * 4 + [2, 5, 7]])
    pixels = np.full((1, 3, 28, 28), -1, np.float32)
    logits = model(input_ids=ids, pixel_values=pixels).logits
    assert logits.shape == (1, 7, 300) and np.isfinite(logits).all()
    model.save_pretrained(tmp_path / "saved")
    again = paligemma.AutoModel.from_pretrained(tmp_path / "saved")
    assert (again(input_ids=ids, pixel_values=pixels).logits == logits).all()
    assert again.config.text_config.hidden_size == 48 and again.num_parameters() == model.num_parameters() > 0
    gemma = paligemma.GemmaForCausalLM(config.text_config, seed=3)
    assert gemma(ids[:, 4:]).logits.shape == (1, 3, 300)
    siglip = paligemma.SiglipModel(paligemma.SiglipConfig(
        dict(vocab_size=50, hidden_size=32, intermediate_size=40, num_hidden_layers=1, num_attention_heads=2),
        dict(hidden_size=32, intermediate_size=40, num_hidden_layers=1, num_attention_heads=2, image_size=32)))
    assert siglip.get_text_features(np.ones((2, 64), int)).shape == (2, 32)


def test_untrained_model_with_a_tokenizer(paligemma, tiny, processor, tmp_path):
    config = paligemma.PaliGemmaConfig.from_pretrained(tiny.checkpoint)
    model = paligemma.PaliGemmaForConditionalGeneration(config, tokenizer=tiny.checkpoint)
    inputs = processor(text="caption en", images=tiny.image("cow.jpg"), return_tensors="np")
    assert model.generate(**inputs, max_new_tokens=3).shape[1] <= 24
    processor.save_pretrained(tmp_path)
    config.save_pretrained(tmp_path)
    assert paligemma.AutoConfig.from_pretrained(tmp_path) == config
    again = paligemma.AutoProcessor.from_pretrained(tmp_path)
    assert (again(text="a", images=tiny.image("cow.jpg"), return_tensors="np").input_ids[0, :16] == 3144).all()


def test_defaults_of_configurations(paligemma):
    theirs = pytest.importorskip("transformers")
    for name in ("GemmaConfig", "SiglipVisionConfig", "SiglipTextConfig", "PaliGemmaConfig", "SiglipConfig"):
        ours, known = getattr(paligemma, name)().to_dict(), getattr(theirs, name)().to_dict()
        compare(ours, known, name)


def compare(ours, known, place):
    for key, value in ours.items():
        if isinstance(value, dict):
            compare(value, known[key], f"{place}.{key}")
        else:
            assert known.get(key, value) == value, f"{place}.{key}"


def test_models_of_the_hub(paligemma, tiny, hub):
    folders = hub.add("org/tiny", tiny.checkpoint)
    opened = {
        paligemma.AutoTokenizer: lambda found: found.folder,
        paligemma.AutoProcessor: lambda found: found.tokenizer.folder,
        paligemma.PaliGemmaProcessor: lambda found: found.tokenizer.folder,
        paligemma.AutoModel: lambda found: found.engine.folder,
        paligemma.PaliGemmaForConditionalGeneration: lambda found: found.engine.folder,
    }
    for kind, folder_of in opened.items():
        assert folder_of(kind.from_pretrained("org/tiny", revision="v2")) == str(folders["v2"])
        with pytest.raises(paligemma.FileError, match="v3"):
            kind.from_pretrained("org/tiny", revision="v3")
    tokens = paligemma.AutoTokenizer.from_pretrained
    assert tokens("org/tiny").folder == tokens("hub:org/tiny", revision="main").folder == str(folders["main"])
    assert tokens("hub:org/tiny", revision=hub.commits["v2"]).folder == str(folders["v2"])
    assert tokens(tiny.checkpoint, revision="v2").folder == str(tiny.checkpoint)  # folders have none
    assert paligemma.ImageProcessor.from_pretrained("org/tiny", revision="v2").size == {"height": 56, "width": 56}
    for kind in (*opened, paligemma.ImageProcessor):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            kind.from_pretrained("./nowhere")
        with pytest.raises(paligemma.FileError, match="HF_HUB_OFFLINE"):
            kind.from_pretrained("org/nothing")


def test_the_side_of_padding(paligemma, tiny_gemma):
    texts = ["a", "a cow on the beach"]
    for side, first in ((None, "left"), ("left", "left"), ("right", "right")):
        tokenizer = paligemma.AutoTokenizer.from_pretrained(tiny_gemma.checkpoint, padding_side=side)
        mask = tokenizer(texts, padding=True, return_tensors="np").attention_mask
        assert tokenizer.padding_side == first and mask[0, 0 if first == "left" else -1] == 0 and mask[1].all()
    assert tokenizer(texts, padding=True, padding_side="left", return_tensors="np").attention_mask[0, 0] == 0
    processor = paligemma.AutoProcessor.from_pretrained(tiny_gemma.checkpoint, padding_side="right")
    assert getattr(processor, "tokenizer", processor).padding_side == "right"
    for call in (lambda: paligemma.AutoTokenizer.from_pretrained(tiny_gemma.checkpoint, padding_side="middle"),
                 lambda: tokenizer(texts, padding=True, padding_side="middle")):
        with pytest.raises(ValueError, match="padding_side='middle', expected \"left\" or \"right\""):
            call()


def test_what_cannot_be_switched_off(paligemma, processor, tiny, tiny_siglip):
    image, siglip = tiny.image("cow.jpg"), paligemma.AutoProcessor.from_pretrained(tiny_siglip.checkpoint)
    for name in ("do_normalize", "do_resize", "do_rescale"):
        for call in (lambda value: processor(text="a", images=image, **{name: value}),
                     lambda value: processor.image_processor(image, **{name: value}),
                     lambda value: siglip(text="a", images=image, **{name: value})):
            with pytest.raises(NotImplementedError, match=f"{name}=False"):
                call(False)
            assert (call(True)["pixel_values"] == call(None)["pixel_values"]).all()
    with pytest.raises(NotImplementedError, match="return_attention_mask=False"):
        processor(text="a", images=image, return_attention_mask=False)
    assert processor(text="a", images=image, do_pan_and_scan=False)["input_ids"]  # what there is not is off
    assert paligemma.AutoModel.from_pretrained(tiny.checkpoint, load_in_4bit=False).engine


def test_what_is_not_supported(paligemma, model, processor, tiny):
    image = tiny.image("cow.jpg")
    inputs = processor(text="caption en", images=image, return_tensors="np")
    refusals = [
        (lambda: model.generate(**inputs, penalty_alpha=0.6), "penalty_alpha"),
        (lambda: model.generate(**inputs, inputs_embeds=inputs.pixel_values.size), "inputs_embeds"),
        (lambda: model(**inputs, output_attentions=True), "output_attentions"),
        (lambda: model.generate(**inputs, num_beams=2, output_logits=True), "num_beams"),
        (lambda: model.generate(**inputs, num_beams=2, num_beam_groups=2), "num_beam_groups"),
        (lambda: processor(text="a", images=image, return_tensors="tf"), "return_tensors"),
        (lambda: model.to("mps"), "mps"),
        (lambda: model.to("cuda:1023"), "cuda:1023"),
        (lambda: model.train(), "Trainer"),
        (lambda: paligemma.AutoModel.from_pretrained(tiny.checkpoint, load_in_4bit=True), "load_in_4bit"),
        (lambda: paligemma.AutoModel.from_pretrained(tiny.checkpoint, torch_dtype="float16"), "float16"),
    ]
    for call, named in refusals:
        with pytest.raises(NotImplementedError, match=named):
            call()


def test_what_makes_no_sense(paligemma, model, processor, tiny):
    image = tiny.image("cow.jpg")
    inputs = processor(text="caption en", images=image, return_tensors="np")
    mistakes = [
        (lambda: processor(text=["a", "b"], images=[image], return_tensors="np"), "2 texts and 1 images"),
        (lambda: processor(text=["a", "a b c d"], images=[image, image], return_tensors="np"), "padding=True"),
        (lambda: processor(text="a"), "needs images"),
        (lambda: processor(text="<image><image> a", images=[image]), "2 <image>"),
        (lambda: model.generate(input_ids=inputs.input_ids), "16 image tokens"),
        (lambda: model.generate(inputs.input_ids[:, 1:], pixel_values=inputs.pixel_values), "pictures more"),
        (lambda: model.generate(inputs.input_ids, pixel_values=inputs.pixel_values + 0.003), "no 8-bit picture's"),
        (lambda: model.generate(inputs.input_ids, pixel_values=inputs.pixel_values[:, :, 1:]), "shape"),
        (lambda: model.generate(**inputs, max_length=5), "no room"),
        (lambda: paligemma.GemmaForCausalLM.from_pretrained(tiny.checkpoint), "model_type"),
    ]
    for call, named in mistakes:
        with pytest.raises(ValueError, match=named):
            call()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        paligemma.AutoModel.from_pretrained("./paligemma-3b-mix-224")
    with pytest.raises(paligemma.FileError, match="HF_HUB_OFFLINE"):
        paligemma.AutoModel.from_pretrained("google/paligemma-3b-mix-224")
