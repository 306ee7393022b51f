"""Is the smoothed loss that of its definition, and least where the net is as sure as the labels?

Shape suffixes: N labelled tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from circuitvlm.core.tensor import IGNORE, Batch, Encoded
from circuitvlm.objective.reply import Reply
from circuitvlm.objective.smoothed import Smoothed
from tests.contract.harness import padded_batch

VOCABULARY = 7


def batch() -> Batch:
    """Two samples, of two and of one labelled token."""
    samples = []
    for name, labels in (("a", [IGNORE, 2, 5]), ("b", [IGNORE, IGNORE, 6])):
        tokens_T = torch.arange(3)
        samples.append(
            Encoded(
                id=name,
                task="probe",
                tokens_T=tokens_T,
                labels_T=torch.tensor(labels),
                modality_T=torch.zeros_like(tokens_T),
                image_T=torch.full_like(tokens_T, -1),
                positions_RT=tokens_T.expand(3, -1),
                vision={},
            )
        )
    return padded_batch(samples, pad=0, side="right")


@pytest.mark.parametrize(("mean", "weights"), [("token", [1, 1, 1]), ("sample", [0.5, 0.5, 1])])
def test_a_share_of_each_label_lies_on_the_whole_vocabulary(mean: Any, weights: list[float]) -> None:
    logits_NV = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    labels_NV = 0.8 * torch.nn.functional.one_hot(torch.tensor([2, 5, 6]), VOCABULARY) + 0.2 / VOCABULARY
    each_N = -(labels_NV * logits_NV.log_softmax(dim=-1)).sum(dim=-1)
    tally = Smoothed(mean=mean, smoothing=0.2).tally(logits_NV, batch())
    assert torch.allclose(tally.sum, each_N @ torch.tensor(weights, dtype=torch.float32))
    assert float(tally.count) == sum(weights)


def test_without_smoothing_it_is_the_reply_s_loss() -> None:
    logits_NV = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    plain, smoothed = Reply(mean="token"), Smoothed(mean="token", smoothing=0.0)
    assert torch.equal(plain.tally(logits_NV, batch()).sum, smoothed.tally(logits_NV, batch()).sum)


def test_the_surest_net_is_not_the_best() -> None:
    one_hot_NV = torch.nn.functional.one_hot(batch().labels_N, VOCABULARY).float()
    loss = [float(Smoothed(mean="token", smoothing=0.1).tally(one_hot_NV * sure, batch()).sum) for sure in (1, 4, 20)]
    assert loss[1] < loss[0] < loss[2]


@pytest.mark.parametrize("share", [1.0, -0.1])
def test_a_share_beyond_all_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"objective\.smoothing: expected 0 <= smoothing < 1"):
        Smoothed(mean="token", smoothing=share)
