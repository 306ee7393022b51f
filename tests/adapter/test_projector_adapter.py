"""Is the projector all that is trained and saved, with no gradient for the LLM, and are other folders refused?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from circuitvlm.adapter.projector import Projector
from circuitvlm.core.record import Dialogue, Turn
from circuitvlm.core.tensor import Batch
from circuitvlm.data.digits import Digits
from circuitvlm.dropout.constant import Constant
from circuitvlm.task.digit import Digit
from tests.contract import harness, parts


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return parts.build("model", "projector_tiny", cache=tmp_path).smoke_test_model()


def batch_of(
    model: Any,
    tmp_path: Path,
    *,
    count: int = 6,
    prompt: str = "What digit is this?",
    answer: str = "The digit is {label}.",
) -> Batch:
    """Real digits, asked about."""
    splits = {"train": {"part": "all", "count": count}}
    task = Digit(prompt=prompt, answer=answer, reading="first", metrics={})
    source = Digits(splits=splits, seed=0, begin=0, cache=str(tmp_path))
    codec = model.codec()
    samples = [codec.encode(task.ask(example), reply=True) for example in source.examples("train")]
    return harness.padded_batch(samples, pad=codec.pad, side="right")


def attached(model: Any, *, seed: int = 0) -> nn.Module:
    return Projector().attach(harness.build_net(model, seed=seed), model, None)


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_no_gradient_of_the_llm_is_ever_computed(checkpointed: bool, model: Any, tmp_path: Path) -> None:
    model.gradient_checkpointing = checkpointed
    net, batch = attached(model), batch_of(model, tmp_path)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {f"projector.modules_to_save.default.layers.0.{kind}" for kind in ("weight", "bias")}
    harness.train(net, lambda: harness.losses(model, net, batch).mean(), steps=3)
    assert [name for name, p in net.named_parameters() if p.grad is not None and name not in trained] == []
    assert all(bool(p.grad.any()) for name, p in net.named_parameters() if p.grad is not None)


def test_the_projector_alone_learns_digits_through_a_frozen_llm(model: Any, tmp_path: Path) -> None:
    """The LLM has learnt to repeat a written digit, and has seen none drawn: that is left to the projector."""
    codec = model.codec()
    told = [Dialogue(id="", task="", prompt=(Turn(role="user", text=f"{k}?"),), reply=str(k)) for k in range(10)]
    words = harness.padded_batch([codec.encode(one, reply=True) for one in told], pad=codec.pad, side="right")
    net = harness.build_net(model).requires_grad_(True)
    harness.train(net, lambda: harness.losses(model, net, words).mean() / 10, steps=60, lr=5e-3)
    llm = {name: p.clone() for name, p in net.named_parameters() if not name.startswith("projector.")}
    Projector().attach(net, model, None)
    batch = batch_of(model, tmp_path, count=12, prompt="?", answer="{label}")
    before = float(harness.losses(model, net, batch).mean().detach())
    harness.train(net, lambda: harness.losses(model, net, batch).mean(), steps=60, lr=1e-2)
    after = float(harness.losses(model, net, batch).mean().detach())
    assert after < 0.5 < 2 < before, f"the loss went from {before:.2f} to {after:.2f}"
    assert all(torch.equal(p, dict(net.named_parameters())[name]) for name, p in llm.items())


def test_the_folder_holds_the_encoder_alone_by_the_models_own_names(model: Any, tmp_path: Path) -> None:
    net = attached(model)
    harness.train(net, lambda: harness.losses(model, net, batch_of(model, tmp_path)).mean(), steps=1)
    Projector().save(net, tmp_path / "a")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"projector.safetensors", "projector.json"}
    held = load_file(tmp_path / "a" / "projector.safetensors")
    encoder = model.encoder(llm_width=64)
    encoder.load_state_dict({name.removeprefix("projector."): tensor for name, tensor in held.items()})  # plain torch
    batch = batch_of(model, tmp_path)
    with torch.no_grad():
        seen = encoder(batch.vision["pixel_values"]).flatten(0, 1)
        torch.testing.assert_close(seen, model.image_features(net, batch))
    about = json.loads((tmp_path / "a" / "projector.json").read_text())
    assert about == {
        "component": "projector",
        "shapes": {"projector.layers.0.bias": [64], "projector.layers.0.weight": [64, 64]},
    }


def test_a_folder_of_another_encoder_is_refused_by_its_names_and_shapes(model: Any, tmp_path: Path) -> None:
    net = attached(model)
    Projector().save(net, tmp_path / "a")
    before = {name: p.clone() for name, p in net.named_parameters()}
    for changes, said in (
        ({"hidden": [16]}, r"missing \['projector\.layers\.1\.bias'.*another shape \['projector\.layers\.0"),
        ({"tokens": 2}, r"layers\.0\.bias \[64\], expected \[128\]"),
        ({"image": 4, "patch": 4}, r"layers\.0\.weight \[64, 64\], expected \[64, 16\]"),
    ):
        other = parts.build("model", "projector_tiny", cache=tmp_path, **changes).smoke_test_model()
        with pytest.raises(ValueError, match=said):
            Projector().load(attached(other), tmp_path / "a")
    held = load_file(tmp_path / "a" / "projector.safetensors")
    save_file({**held, "lm_head.weight": torch.zeros(2)}, tmp_path / "a" / "projector.safetensors")
    with pytest.raises(ValueError, match=r"unexpected \['lm_head\.weight'\]"):
        Projector().load(net, tmp_path / "a")
    assert all(torch.equal(before[name], p) for name, p in net.named_parameters()), "what is refused changes nothing"


def test_a_folder_that_is_none_or_not_whole_is_refused(model: Any, tmp_path: Path) -> None:
    net = attached(model)
    save_file({"x": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=r"expected the file projector\.safetensors, got adapter_model\.safetensors"):
        Projector().load(net, tmp_path)
    Projector().save(net, tmp_path / "a")
    path = tmp_path / "a" / "projector.safetensors"
    for raw in (path.read_bytes()[:-5], b"", b"no tensors at all"):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=r"projector\.safetensors: expected safetensors"):
            Projector().load(net, tmp_path / "a")


@pytest.mark.parametrize("family", parts.families("model"))
def test_the_copy_is_float32_in_a_net_of_whatever_arithmetic(family: str, tmp_path: Path) -> None:
    model = harness.smoke_test_model(family, tmp_path)
    net = Projector().attach(model.build(dtype=torch.bfloat16, quantization=None), model, None)
    kinds = {p.dtype for p in net.parameters() if p.requires_grad}
    assert kinds == {torch.float32}
    sample = harness.Harness(tmp_path).samples(model)[0]
    harness.losses(model, net, harness.single_batch(sample)).sum().backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
    assert all(p.grad is None for p in net.parameters() if not p.requires_grad)


def test_dropout_and_a_model_without_a_projector_are_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="dropout=constant_none"):
        Projector().attach(harness.build_net(model), model, Constant(p=0.1))
    Projector().attach(harness.build_net(model), model, Constant(p=0.0))
    bare = parts.broken_copy(model, components={"llm": ("model",)})
    with pytest.raises(ValueError, match="expected a model with a projector, got one with llm"):
        Projector().attach(harness.build_net(bare), bare, None)
