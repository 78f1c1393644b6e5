"""Memory shared with other packages, and processes that fork."""
import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest


@pytest.fixture(scope="module")
def rows(paligemma, tiny_siglip):
    return paligemma.load(tiny_siglip.checkpoint).embed(texts=["a cow", "a lily"])


def test_embeddings_have_their_protocols(rows):
    assert rows.__array_interface__["data"][0] == rows.ctypes.data and rows.ctypes.data % 64 == 0
    assert rows.flags.writeable
    if hasattr(np.ndarray, "__dlpack__"):  # since NumPy 1.22; Ubuntu 22.04 has 1.21
        assert rows.__dlpack_device__()[0] == 1


def test_torch_shares_them(rows):
    torch = pytest.importorskip("torch")
    assert torch.from_numpy(rows).data_ptr() == rows.ctypes.data
    assert torch.from_dlpack(rows).data_ptr() == rows.ctypes.data


def test_torch_shares_logits(paligemma, tiny):
    torch = pytest.importorskip("torch")
    logits = paligemma.load(tiny.checkpoint).trace("caption en", tiny.images / "cow.jpg", names=["logits"])["logits"]
    assert torch.from_numpy(logits).data_ptr() == logits.ctypes.data


def test_jax_shares_them(rows):
    jax = pytest.importorskip("jax")
    shared = jax.dlpack.from_dlpack(rows, copy=False)
    assert shared.unsafe_buffer_pointer() == rows.ctypes.data and np.allclose(shared, rows)


def test_tensorflow_shares_them(rows):
    tensorflow = pytest.importorskip("tensorflow")
    shared = tensorflow.experimental.dlpack.from_dlpack(rows.__dlpack__())
    before = rows[0, 0]
    rows[0, 0] = 2
    assert shared[0, 0] == 2
    rows[0, 0] = before
    assert np.array_equal(shared, rows)


# ---------------------------------------------------------------- forks


def in_child(work):
    """What `work` returns in a forked child."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(work()))
    child.start()
    assert here.poll(300), "the child does not answer"
    result = here.recv()
    child.join(300)
    assert child.exitcode == 0
    return result


def test_a_child_uses_the_parents_model(paligemma, tiny, cow):
    model = paligemma.load(tiny.checkpoint, threads=2)
    wanted = tiny.facts["prompts"][0]["text"]
    assert model.caption(cow) == wanted  # threads exist
    assert in_child(lambda: model.caption(cow)) == wanted
    assert model.caption(cow) == wanted


def test_a_child_of_a_busy_parent(paligemma, tiny, cow):
    model = paligemma.load(tiny.checkpoint)
    busy = threading.Thread(target=lambda: model.caption(cow, min_new_tokens=400, max_new_tokens=400))
    busy.start()
    fresh = in_child(lambda: paligemma.load(tiny.checkpoint).caption(cow))
    busy.join()
    assert fresh == tiny.facts["prompts"][0]["text"]


def test_workers_of_a_loader(paligemma, tiny, cow):
    data = pytest.importorskip("torch.utils.data")
    processor = paligemma.AutoProcessor.from_pretrained(tiny.checkpoint)

    class Rows(data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            return processor(text=f"caption {i}", images=str(cow), return_tensors="np").pixel_values[0]

    processor(text="caption en", images=str(cow))
    batches = list(data.DataLoader(Rows(), batch_size=4, num_workers=2, multiprocessing_context="fork"))
    assert [tuple(batch.shape) for batch in batches] == [(4, 3, 56, 56)] * 2


def test_ctrl_c_ends_an_answer(paligemma, tiny, cow):
    model = paligemma.load(tiny.checkpoint)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        model.caption(cow, min_new_tokens=8000, max_new_tokens=8000)
    assert model.caption(cow) == tiny.facts["prompts"][0]["text"]
