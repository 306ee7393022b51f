"""What is a mistake? Every token of the reply that the model did not expect.

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

    `mean` says what counts alike in the loss of an optimizer step, over its micro-batches and all ranks: every token
    ("token"), or every sample whatever the length of its reply ("sample").
    """

    def __init__(self, *, mean: Literal["token", "sample"]) -> None:
        if mean not in _WEIGHTS:
            raise ValueError(f"objective.mean: came {mean!r}, wanted one of {', '.join(_WEIGHTS)}")
        self.mean = mean
        self.smoothing = 0.0

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        """Sum over the labelled tokens by their weights, and the weights' sum; 0 / 0 where there are none."""
        weights_N = _WEIGHTS[self.mean](batch)
        loss_N = cross_entropy(logits_NV.float(), batch.labels_N, reduction="none", label_smoothing=self.smoothing)
        return Tally(loss_N @ weights_N, weights_N.sum())

    def count(self, batch: Batch) -> float:
        """How many things to learn a batch holds, tokens or samples, known before the net has run."""
        return float(_WEIGHTS[self.mean](batch).sum())


def _by_token(batch: Batch) -> Tensor:
    return torch.ones(batch.labels_N.shape, device=batch.labels_N.device)


def _by_sample(batch: Batch) -> Tensor:
    """One over the number of labelled tokens of each token's sample."""
    _, place_N, counts = torch.unique(batch.segment_N, return_inverse=True, return_counts=True)
    weights_N: Tensor = counts.float().reciprocal()[place_N]
    return weights_N


_WEIGHTS: Mapping[str, Callable[[Batch], Tensor]] = {"token": _by_token, "sample": _by_sample}
