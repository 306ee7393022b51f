"""Cross-entropy of the reply tokens, as a mean over tokens or samples of the optimizer step.

Shape suffixes: N labelled tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from circuitvlm.core.tensor import Batch, Tally


class Reply:
    """Negative log-likelihood (nats) of the reply's tokens, its end token included.

    `mean` is the unit with equal weight in the loss of an optimizer step, over its micro-batches and all ranks: every
    token ("token"), or every sample whatever its length ("sample").
    """

    def __init__(self, *, mean: Literal["token", "sample"]) -> None:
        if mean not in _WEIGHTS:
            raise ValueError(f"objective.mean: expected one of {', '.join(_WEIGHTS)}, got {mean!r}")
        self.mean = mean
        self.smoothing = 0.0

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        """Return the weighted sum over the labelled tokens and the sum of the weights; 0 / 0 without any."""
        weights_N = _WEIGHTS[self.mean](batch)
        loss_N = cross_entropy(logits_NV.float(), batch.labels_N, reduction="none", label_smoothing=self.smoothing)
        return Tally(loss_N @ weights_N, weights_N.sum())

    def count(self, batch: Batch) -> float:
        """The number of tokens or samples to learn in a batch, known before the forward pass."""
        return float(_WEIGHTS[self.mean](batch).sum())


def _by_token(batch: Batch) -> Tensor:
    return torch.ones(batch.labels_N.shape, device=batch.labels_N.device)


def _by_sample(batch: Batch) -> Tensor:
    """The weight of each token: 1 / (number of labelled tokens of its sample)."""
    _, place_N, counts = torch.unique(batch.segment_N, return_inverse=True, return_counts=True)
    weights_N: Tensor = counts.float().reciprocal()[place_N]
    return weights_N


_WEIGHTS: Mapping[str, Callable[[Batch], Tensor]] = {"token": _by_token, "sample": _by_sample}
