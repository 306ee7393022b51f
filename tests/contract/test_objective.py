"""Does every objective of conf/objective keep its promises? And would we notice if not?

Shape suffixes: T tokens, N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuitvlm.core.tensor import IGNORE, Batch, Encoded, Tally
from tests.contract import parts
from tests.contract.harness import padded_batch

VOCABULARY, WIDTH = 13, 5


def promise_halves(objective: Any) -> None:
    """Halves summed are the whole, in sum, count and gradient."""
    net, whole = _net(), [_sample(5, 3, seed=1), _sample(9, 8, seed=2), _sample(4, 1, seed=3), _sample(6, 0, seed=4)]
    for cut in (1, 2, 3):
        left, right, both = (_tally(objective, net, part) for part in (whole[:cut], whole[cut:], whole))
        halves = left + right
        assert torch.allclose(halves.sum, both.sum, rtol=1e-5), f"sums {halves.sum} and {both.sum}"
        assert torch.allclose(halves.count, both.count, rtol=1e-5), f"counts {halves.count} and {both.count}"
        gradients = [torch.autograd.grad(t.sum, net.weight, retain_graph=True)[0] for t in (halves, both)]
        assert torch.allclose(*gradients, rtol=1e-4, atol=1e-5), "the gradients of the halves are not that of the whole"


def promise_nothing(objective: Any) -> None:
    """Nothing to learn is 0 of 0, with mean 0 and finite gradients."""
    net = _net()
    tally = _tally(objective, net, [_sample(5, 0, seed=1), _sample(3, 0, seed=2)])
    for name in ("sum", "count", "mean"):
        value = float(getattr(tally, name).detach())
        assert value == 0, f"the {name} of nothing is {value}"
    for value in (tally.sum, tally.mean):
        gradient = torch.autograd.grad(value, net.weight, retain_graph=True)[0]
        assert torch.isfinite(gradient).all(), "the gradient of nothing is not finite"


def promise_count(objective: Any) -> None:
    """What is counted before the net has run is what is counted after it."""
    for samples in ([_sample(5, 3, seed=1)], [_sample(5, 0, seed=1)], [_sample(9, 9, seed=2), _sample(4, 2, seed=3)]):
        before = objective.count(padded_batch(samples, pad=0, side="right"))
        after = float(_tally(objective, _net(), samples).count.detach())
        assert before == pytest.approx(after), f"{before} before, {after} after"


def promise_better(objective: Any) -> None:
    """A net that is surer of the labels has less to learn, down to 0 but not below."""
    batch = padded_batch([_sample(9, 8, seed=2)], pad=0, side="right")
    right_NV = nn.functional.one_hot(batch.labels_N, VOCABULARY).float()
    sums = [float(objective.tally(right_NV * sureness, batch).sum) for sureness in (-5, 0, 5, 50)]
    assert sums == sorted(sums, reverse=True), f"surer of the labels, but the sums are {sums}"
    assert sums[0] > sums[-1] >= 0, f"surer of the labels, but the sums are {sums}"


def _net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(WIDTH, VOCABULARY)


def _sample(length: int, labelled: int, *, seed: int) -> Encoded:
    """Random tokens, of which the last are labelled."""
    tokens_T = torch.randint(VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed))
    return Encoded(
        id=f"sample-{seed}",
        task="probe",
        tokens_T=tokens_T,
        labels_T=torch.where(torch.arange(length) < length - labelled, IGNORE, tokens_T),
        modality_T=torch.zeros_like(tokens_T),
        image_T=torch.full_like(tokens_T, -1),
        positions_RT=torch.arange(length).expand(3, -1),
        vision={},
    )


def _tally(objective: Any, net: nn.Linear, samples: Sequence[Encoded]) -> Tally:
    """The tally of features that depend on the token alone, so that they are the same in every company."""
    batch: Batch = padded_batch(samples, pad=0, side="right")
    table = torch.randn(VOCABULARY, WIDTH, generator=torch.Generator().manual_seed(7))
    hidden_ND: Tensor = table[batch.tokens_BT][batch.target_mask]
    tally: Tally = objective.tally(net(hidden_ND), batch)
    return tally


@pytest.mark.parametrize("name", parts.names("objective"))
@parts.each_promise(globals())
def test_objective_keeps(promise: parts.Promise, name: str) -> None:
    parts.check_promise(promise, parts.build("objective", name))


class Whole:
    """A plain sum over the labelled tokens, which keeps every promise. Its faults are the subclasses."""

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        total = nn.functional.cross_entropy(logits_NV, batch.labels_N, reduction="sum")
        return Tally(total, total.new_tensor(len(batch.labels_N)))

    def count(self, batch: Batch) -> float:
        return float(len(batch.labels_N))


class Averaging(Whole):
    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        tally = super().tally(logits_NV, batch)
        return Tally(tally.mean, tally.count)


class Dividing(Whole):
    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        tally = super().tally(logits_NV, batch)
        return Tally(tally.sum / tally.count, tally.count)


class Miscounting(Whole):
    def count(self, batch: Batch) -> float:
        return float((batch.labels_BT != IGNORE).sum())


class Inverted(Whole):
    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        return super().tally(-logits_NV, batch)


BROKEN = [
    (promise_halves, Averaging, "sums"),
    (promise_nothing, Dividing, "sum of nothing"),
    (promise_count, Miscounting, "before"),
    (promise_better, Inverted, "surer"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_objective_is_noticed(promise: parts.Promise, kind: Any, said: str) -> None:
    promise(Whole())
    with pytest.raises(AssertionError, match=said):
        promise(kind())


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
