"""Does every adapter of conf/adapter keep its promises, on every family's stand-in? And would we notice if not?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from circuitvlm.core.tensor import Batch
from tests.contract import parts
from tests.contract.harness import Harness, build_net, logits, losses, padded_batch, smoke_test_model, train

STEPS = 5


def promise_silent(adapter: Any, model: Any, harness: Harness) -> None:
    """At birth an adapter changes no answer."""
    net, batch = build_net(model), _batch(model, harness)
    plain = _said(model, net, batch)
    adapted = _said(model, adapter.attach(net, model, None).eval(), batch)
    difference = float((plain - adapted).abs().max())
    assert difference < 1e-5, f"at birth the logits differ by {difference}"


def promise_frozen(adapter: Any, model: Any, harness: Harness) -> None:
    """What is frozen is bit-identical after five steps."""
    net = adapter.attach(build_net(model), model, None)
    frozen = {name: p for name, p in net.named_parameters() if not p.requires_grad}
    assert frozen, "nothing is frozen"
    before = {name: p.detach().clone() for name, p in frozen.items()}
    _learn(net, model, harness)
    moved = [name for name, p in frozen.items() if not torch.equal(before[name], p)]
    assert not moved, f"{len(moved)} frozen weights moved, such as {moved[:3]}"


def promise_moved(adapter: Any, model: Any, harness: Harness) -> None:
    """Every weight that is said to be trained has moved after five steps."""
    net = adapter.attach(build_net(model), model, None)
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    assert trained, "nothing is trained"
    before = {name: p.detach().clone() for name, p in trained.items()}
    _learn(net, model, harness)
    still = [name for name, p in trained.items() if torch.equal(before[name], p)]
    assert not still, f"{len(still)} trainable weights did not move, such as {still[:3]}"


def promise_base(adapter: Any, model: Any, harness: Harness) -> None:
    """The base's own weights are trained if and only if the adapter says so."""
    net = build_net(model)
    base = list(net.parameters())
    adapter.attach(net, model, None)
    trained = any(p.requires_grad for p in base)
    assert trained == adapter.trains_base, f"trains_base is {adapter.trains_base}, but base weights train: {trained}"


def promise_saved(adapter: Any, model: Any, harness: Harness) -> None:
    """Saved and loaded into a fresh net, it gives the same logits."""
    batch, folder = _batch(model, harness), _fresh(harness)
    net = adapter.attach(build_net(model), model, None)
    _learn(net, model, harness)
    adapter.save(net, folder)
    other = adapter.attach(build_net(model), model, None).eval()
    wanted = _said(model, net.eval(), batch)
    assert float((_said(model, other, batch) - wanted).abs().max()) > 1e-3, "five steps have changed no answer"
    adapter.load(other, folder)
    difference = float((_said(model, other, batch) - wanted).abs().max())
    assert difference < 1e-5, f"after loading the logits differ by {difference}"
    ready = [name for name, p in other.named_parameters() if p.requires_grad]
    assert ready == [n for n, p in net.named_parameters() if p.requires_grad], (
        "after loading, other weights are trained"
    )


def promise_strict(adapter: Any, model: Any, harness: Harness) -> None:
    """A folder in which a tensor is missing or has another name is refused."""
    net, folder = adapter.attach(build_net(model), model, None), _fresh(harness)
    adapter.save(net, folder)
    files = sorted(folder.glob("*.safetensors"))
    assert files, f"nothing was saved as safetensors, only {[path.name for path in folder.iterdir()]}"
    for path in files:
        whole = load_file(path)
        first, *rest = sorted(whole)
        for fault, tensors in (
            ("missing", {name: whole[name] for name in rest}),
            ("renamed", {f"odd.{name}" if name == first else name: t for name, t in whole.items()}),
            ("added", {**whole, "odd.lora_A.weight": torch.zeros(2)}),
        ):
            save_file(tensors, path, metadata={"format": "pt"})
            assert _refuses(adapter, net, folder), f"a folder with a tensor {fault} was loaded without a word"
        save_file(whole, path, metadata={"format": "pt"})
        adapter.load(net, folder)


def promise_small(adapter: Any, model: Any, harness: Harness) -> None:
    """It trains fewer weights than it leaves alone."""
    net = adapter.attach(build_net(model), model, None)
    sizes = {True: 0, False: 0}
    for parameter in net.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    assert 0 < sizes[True] < sizes[False], f"{sizes[True]:,} weights are trained and {sizes[False]:,} frozen"


# ------------------------------------------------------------------------------------------------------------- helpers


def _batch(model: Any, harness: Harness) -> Batch:
    return padded_batch(harness.samples(model)[:2], pad=model.codec().pad, side="right")


def _said(model: Any, net: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad():
        return logits(model, net, batch)


def _learn(net: nn.Module, model: Any, harness: Harness) -> None:
    batch = _batch(model, harness)
    train(net, lambda: losses(model, net, batch).sum() / 20, steps=STEPS)


def _fresh(harness: Harness) -> Path:
    """A folder that no other promise has written to."""
    return harness.folder / f"adapter-{len(list(harness.folder.glob('adapter-*')))}"


def _lost(adapter: Any, model: Any) -> list[str]:
    """The components that an adapter names and that a model does not have: one in front of which no tower stands."""
    said = [getattr(adapter, key, ()) for key in ("targets", "components")]
    return sorted({name for names in said if not isinstance(names, str) for name in names} - set(model.components))


def _refuses(adapter: Any, net: nn.Module, folder: Path) -> bool:
    try:
        adapter.load(net, folder)
    except ValueError:
        return True
    return False


# ------------------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("family", parts.families("model"))
@pytest.mark.parametrize("name", parts.names("adapter"))
@parts.each_promise(globals())
def test_adapter_keeps(promise: parts.Promise, name: str, family: str, cache: Path, harness: Harness) -> None:
    adapter, model = parts.build("adapter", name), smoke_test_model(family, cache)
    lost = _lost(adapter, model)
    if lost:  # the promise is then to say so
        with pytest.raises(ValueError, match=rf"adapter\..*\b{lost[0]}\b"):
            adapter.attach(build_net(model), model, None)
        pytest.skip(f"{family} has no {', '.join(lost)}")
    parts.check_promise(promise, adapter, model, harness)


# -------------------------------------------------------------------------------------- and we would notice if it broke


class Offset:
    """A small adapter that keeps every promise: an offset on the logits. Its faults are the subclasses."""

    trains_base = False
    start = 0.0

    def attach(self, net: nn.Module, model: Any, dropout: Any) -> nn.Module:
        head = net.get_submodule("lm_head")
        head.offset = nn.Parameter(torch.full((head.out_features,), self.start))
        head.register_forward_hook(lambda module, given, made: made + module.offset)
        return net

    def save(self, net: nn.Module, folder: Path) -> None:
        folder.mkdir()
        save_file({"offset": net.get_submodule("lm_head").offset.detach()}, folder / "offset.safetensors")

    def load(self, net: nn.Module, folder: Path) -> None:
        tensors = load_file(folder / "offset.safetensors")
        if set(tensors) != {"offset"}:
            raise ValueError("not an offset")
        net.get_submodule("lm_head").offset.data.copy_(tensors["offset"])


class Loud(Offset):
    start = 0.1


class Meddling(Offset):
    """It moves a frozen weight at every forward pass."""

    def attach(self, net: nn.Module, model: Any, dropout: Any) -> nn.Module:
        net = super().attach(net, model, dropout)
        net.get_submodule("lm_head").register_forward_hook(self.meddle)
        return net

    @staticmethod
    def meddle(module: nn.Module, given: Any, made: Tensor) -> None:
        module.get_parameter("weight").data.mul_(0.999)


class Idle(Offset):
    """It has a weight that nothing depends on."""

    def attach(self, net: nn.Module, model: Any, dropout: Any) -> nn.Module:
        net.idle = nn.Parameter(torch.zeros(3))
        return super().attach(net, model, dropout)


class Greedy(Offset):
    """It trains the base, and says that it does not."""

    def attach(self, net: nn.Module, model: Any, dropout: Any) -> nn.Module:
        return super().attach(net, model, dropout).requires_grad_(True)


class Forgetful(Offset):
    def load(self, net: nn.Module, folder: Path) -> None:
        """Nothing."""


class Careless(Offset):
    def load(self, net: nn.Module, folder: Path) -> None:
        offset = load_file(folder / "offset.safetensors").get("offset")
        if offset is not None:
            net.get_submodule("lm_head").offset.data.copy_(offset)


BROKEN: list[tuple[Callable[..., None], type[Offset], str]] = [
    (promise_silent, Loud, "at birth"),
    (promise_frozen, Meddling, "frozen weights moved"),
    (promise_moved, Idle, "did not move"),
    (promise_base, Greedy, "trains_base"),
    (promise_saved, Forgetful, "after loading"),
    (promise_strict, Careless, "without a word"),
    (promise_small, Greedy, "are trained and"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_adapter_is_noticed(
    promise: parts.Promise, kind: type[Offset], said: str, cache: Path, harness: Harness
) -> None:
    model = smoke_test_model(parts.families("model")[0], cache)
    promise(Offset(), model, harness)
    with pytest.raises(AssertionError, match=said):
        promise(kind(), model, harness)


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
