"""Test the promises of every collate of conf/collate with every model family, and that a broken one fails them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuitvlm.core.tensor import Batch, Encoded
from tests.contract import parts
from tests.contract.harness import Harness, build_net, losses, padded_batch, single_batch, smoke_test_model

SIDES = ("right", "left")


def promise_loss(collate: Any, model: Any, harness: Harness) -> None:
    """Each sample has the loss in the batch that it has alone."""
    net, samples = build_net(model), harness.samples(model)
    with torch.no_grad():
        expected_losses = {sample.id: float(losses(model, net, single_batch(sample))[0]) for sample in samples}
        for side in SIDES:
            batch = collate(samples, pad=model.codec().pad, side=side)
            batch_losses = dict(zip(batch.ids, losses(model, net, batch).tolist(), strict=True))
            assert batch_losses.keys() == expected_losses.keys(), (
                f"{side}: got {sorted(batch_losses)}, expected {sorted(expected_losses)}"
            )
            for name, loss in expected_losses.items():
                assert batch_losses[name] == pytest.approx(loss, rel=1e-5, abs=1e-5), f"{side}: another loss of {name}"


def promise_gradient(collate: Any, model: Any, harness: Harness) -> None:
    """The summed loss of the batch has the gradients of one sample at a time, summed."""
    samples = harness.samples(model)
    expected_gradient = _gradient(model, [single_batch(sample) for sample in samples])
    for side in SIDES:
        gradient = _gradient(model, [collate(samples, pad=model.codec().pad, side=side)])
        scale = float(expected_gradient.abs().max())
        difference = float((gradient - expected_gradient).abs().max()) / scale
        assert difference < 1e-5, f"{side}: gradients differ by {difference} of the largest"


def promise_names(collate: Any, model: Any, harness: Harness) -> None:
    """A batch keeps ids and tasks in the samples' order, and its segments point to them."""
    samples = harness.samples(model)
    for side in SIDES:
        batch = collate(samples, pad=model.codec().pad, side=side)
        assert list(batch.ids) == [sample.id for sample in samples], f"{side}: ids {batch.ids}"
        assert list(batch.tasks) == [sample.task for sample in samples], f"{side}: tasks {batch.tasks}"
        for k, sample in enumerate(samples):
            tokens = batch.tokens_BT[batch.segment_BT == k]
            assert torch.equal(tokens, sample.tokens_T), f"{side}: segment {k} is not {sample.id}"


def _gradient(model: Any, batches: Sequence[Batch]) -> Tensor:
    net: nn.Module = build_net(model)
    net.requires_grad_(True)
    for batch in batches:
        losses(model, net, batch).sum().backward()
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


@pytest.mark.parametrize("family", parts.families("model"))
@pytest.mark.parametrize("name", parts.names("collate"))
@parts.each_promise(globals())
def test_collate_keeps(promise: parts.Promise, name: str, family: str, cache: Path, harness: Harness) -> None:
    parts.check_promise(promise, parts.build("collate", name), smoke_test_model(family, cache), harness)


def without_mask(samples: Sequence[Encoded], *, pad: int, side: str) -> Batch:
    """Padding is attended to like text: harmless on the right of a causal model, and not on the left."""
    batch = padded_batch(samples, pad=pad, side=side)
    return replace(batch, mask=torch.ones_like(batch.mask))


def without_positions(samples: Sequence[Encoded], *, pad: int, side: str) -> Batch:
    """All tokens have position 0. (A constant added to a whole row changes nothing: rotary positions are relative.)"""
    batch = padded_batch(samples, pad=pad, side=side)
    return replace(batch, positions_RBT=torch.zeros_like(batch.positions_RBT))


def swap_names(samples: Sequence[Encoded], *, pad: int, side: str) -> Batch:
    batch = padded_batch(samples, pad=pad, side=side)
    return replace(batch, ids=batch.ids[::-1])


BROKEN_COLLATES = [
    (promise_loss, without_mask, "left: another loss"),
    (promise_gradient, without_positions, "gradients differ"),
    (promise_names, swap_names, "ids"),
]


@pytest.mark.parametrize(
    ("promise", "fault", "message"), BROKEN_COLLATES, ids=[parts.name_of(row[0]) for row in BROKEN_COLLATES]
)
def test_a_broken_collate_is_noticed(
    promise: parts.Promise, fault: Any, message: str, cache: Path, harness: Harness
) -> None:
    model = smoke_test_model(parts.families("model")[0], cache)
    promise(padded_batch, model, harness)
    with pytest.raises(AssertionError, match=message):
        promise(fault, model, harness)


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN_COLLATES) == []
