"""Check that the callback shows the dropout that the adapter layers have, once, in the log and in TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from circuitvlm.adapter.full import Full
from circuitvlm.adapter.lora import Lora
from circuitvlm.core.contract import Adapter, Dropout
from circuitvlm.dropout.constant import Constant
from circuitvlm.dropout.geometric import Geometric
from circuitvlm.dropout.listed import Listed
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.training.callback.dropout_profile import (
    DropoutProfile,
    Stack,
    adapter_dropouts,
    block_stacks,
    draw_profile,
    dropouts_outside_blocks,
    table,
)
from circuitvlm.training.module import Module

LLM, TOWER = 4, 3
EVERYWHERE = Lora(
    rank=2, alpha=4, rslora=False, targets={"llm": ["q_proj", "down_proj"], "vision": "all", "projector": "all"}
)
RISING = Geometric(p=0.1, v=1.5, lim=0.2, mean=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Qwen2VL:
    shape = {**Qwen2VL.smoke_test_shape, "layers": LLM, "vision_layers": TOWER}
    return Qwen2VL(
        weights=None, shape=shape, attention="sdpa", gradient_checkpointing=False,
        min_pixels=None, max_pixels=None, max_tokens=512, reply_tokens=64, cache=str(tmp_path_factory.mktemp("cache")),
    )  # fmt: skip


def module(model: Qwen2VL, *, adapter: Adapter, dropout: Dropout | None) -> Module:
    """What a run trains, its net built."""
    given: dict[str, Any] = dict.fromkeys(
        ("codec", "objective", "optimizer", "schedule", "quantization", "adapter_folder")
    )
    made = Module(
        model=model, adapter=adapter, dropout=dropout, tasks={}, validation_examples={},
        dtype=torch.float32, seed=0, lr_multipliers={}, max_new_tokens=1, steps=1, log_every_n_steps=1, **given,
    )  # fmt: skip
    made.configure_model()
    return made


def started(trained: Module, folder: Path) -> list[Any]:
    """What TensorBoard has as `dropout/profile` after the start of a fit."""
    logger = TensorBoardLogger(save_dir=folder, name=None, version="")
    settings: dict[str, Any] = {"accelerator": "cpu", "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(logger=logger, enable_model_summary=False, **settings)
    DropoutProfile().on_fit_start(trainer, trained)
    logger.finalize("success")
    events = EventAccumulator(str(folder)).Reload()
    return list(events.Images("dropout/profile")) if "dropout/profile" in events.Tags()["images"] else []


def net(trained: Module) -> nn.Module:
    assert trained.net is not None
    return trained.net.weights


def test_a_table_for_each_stack_and_one_picture(
    model: Qwen2VL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        images = started(module(model, adapter=EVERYWHERE, dropout=RISING), tmp_path)
    assert [(image.step, image.width, image.height) for image in images] == [(0, 700, 400)]
    told = [record.message for record in caplog.records if "dropout" in record.name]
    assert told == [
        "dropout of the adapter, vision: 3 blocks, mean 0.15\n  1  0.1    |  2  0.15   |  3  0.2",
        "dropout of the adapter, llm: 4 blocks, mean 0.163\n    1  0.1    |    2  0.15   |  3-4  0.2",
        "dropout of the adapter outside of the blocks: 0.1, in 2 modules",
    ]


def test_what_is_told_is_what_the_modules_have(model: Qwen2VL) -> None:
    weights = net(module(model, adapter=EVERYWHERE, dropout=RISING))
    found = adapter_dropouts(weights)
    assert len(found) == LLM * 2 + TOWER * 4 + 2
    assert all(p == getattr(weights.get_submodule(name), "p", None) for name, p in found.items())
    vision, llm = block_stacks(found, model)
    assert [p for _, p in vision.pairs] == list(RISING.profile(TOWER))
    assert [block for block, _ in llm.pairs] == list(range(1, LLM + 1))
    assert [p for _, p in llm.pairs] == list(RISING.profile(LLM))
    assert set(dropouts_outside_blocks(found, model).values()) == {RISING.profile(1)[0]}


def test_layers_without_noise_belong_to_the_profile(model: Qwen2VL) -> None:
    adapter = Lora(rank=2, alpha=4, rslora=False, targets={"llm": ["q_proj"]})
    weights = net(module(model, adapter=adapter, dropout=Listed(values=[0.0, 0.0, 0.2, 0.0], mean=None)))
    (llm,) = block_stacks(adapter_dropouts(weights), model)
    assert list(llm.pairs) == [(1, 0.0), (2, 0.0), (3, 0.2), (4, 0.0)]
    assert table(llm).splitlines()[1].split() == ["1-2", "0", "|", "3", "0.2", "|", "4", "0"]


def test_noise_of_the_base_and_of_frozen_adapters_is_left_out(model: Qwen2VL) -> None:
    trained = module(model, adapter=EVERYWHERE, dropout=RISING)
    weights = net(trained)
    before = adapter_dropouts(weights)
    layer = weights.get_submodule("base_model.model.model.language_model.layers.0.self_attn.q_proj")
    layer.base_layer = nn.Sequential(layer.base_layer, nn.Dropout(0.9))  # the wrapped layer's own
    weights.get_submodule("base_model.model.model.language_model.layers.0.mlp").noise = nn.Dropout(0.8)
    assert adapter_dropouts(weights) == before
    weights.requires_grad_(False)
    assert adapter_dropouts(weights) == {}


@pytest.mark.parametrize(
    ("adapter", "dropout"),
    [(EVERYWHERE, Constant(p=0.0)), (EVERYWHERE, None), (Full(components=["projector"]), Constant(p=0.0))],
    ids=["zero", "none", "full"],
)
def test_without_dropout_it_says_so_and_draws_nothing(
    adapter: Adapter, dropout: Dropout | None, model: Qwen2VL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert started(module(model, adapter=adapter, dropout=dropout), tmp_path) == []
    assert [record.message for record in caplog.records if "dropout" in record.name] == ["the adapter has no dropout"]


def test_only_the_first_rank_tells(model: Qwen2VL, caplog: pytest.LogCaptureFixture) -> None:
    class Second:
        is_global_zero = False

    with caplog.at_level(logging.INFO):
        DropoutProfile().on_fit_start(Second(), module(model, adapter=EVERYWHERE, dropout=RISING))  # type: ignore[arg-type]  # all that it asks of a trainer
    assert not [record for record in caplog.records if "dropout" in record.name]


def test_no_random_number_is_drawn(model: Qwen2VL, tmp_path: Path) -> None:
    """A run with the callback trains as one without."""
    trained = module(model, adapter=EVERYWHERE, dropout=RISING)
    before = torch.get_rng_state()
    started(trained, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_profile_that_differs_at_every_block_is_a_small_table() -> None:
    values = Geometric(p=0.2, v=0.97, lim=0.1, mean=None).profile(32)
    told = table(Stack(name="llm", pairs=list(enumerate(values, start=1)))).splitlines()
    assert told[0] == "dropout of the adapter, llm: 32 blocks, mean 0.133"
    assert told[1].split()[:2] == ["1", "0.2"]
    assert told[-1].split()[-2:] == ["24-32", "0.1"]
    assert len(told) == 5
    assert max(map(len, told)) <= 120


def test_a_block_whose_modules_differ_and_a_gap_between_blocks_are_told() -> None:
    pairs = [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2), (5, 0.1), (6, 0.1)]
    heading, line = table(Stack(name="llm", pairs=pairs)).splitlines()
    assert heading == "dropout of the adapter, llm: 4 blocks, mean 0.133"
    assert [entry.split(maxsplit=1) for entry in line.split("|")] == [["1-2", "0.1, 0.2   "], ["5-6", "0.1"]]


def pixels(figure: Figure) -> np.ndarray:
    """The figure's pixels (H, W, 3) as uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def test_the_picture_shows_every_stack_apart() -> None:
    """A line per stack in a colour of its own, also where one lies on the other."""
    same = [(block, 0.1) for block in range(1, 33)]
    one = pixels(draw_profile([Stack(name="vision", pairs=same)]))
    two = pixels(draw_profile([Stack(name="vision", pairs=same), Stack(name="llm", pairs=same)]))
    assert one.shape == two.shape == (400, 700, 3)
    assert (one.dtype, two.dtype) == (np.uint8, np.uint8)
    blue, orange = np.array([0, 0x72, 0xB2]), np.array([0xD5, 0x5E, 0])
    counts = [[int((np.abs(image.astype(int) - c).sum(-1) < 30).sum()) for c in (blue, orange)] for image in (one, two)]
    assert counts[0][0] > 500
    assert counts[0][1] == 0
    assert min(counts[1]) > 200
