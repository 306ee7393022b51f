"""What is a mistake? Every token of the reply that the model did not expect.

Shape suffixes: N labelled tokens, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from circuitvlm.core.tensor import Batch, Tally


class Reply:
    """Negative log-likelihood (nats) of the reply's tokens, its end token included; the mean is over tokens."""

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        """Sum over the labelled tokens and their number; 0 / 0 where there are none."""
        labels_N = batch.labels_N
        total = (
            cross_entropy(logits_NV.float(), labels_N, reduction="sum") if labels_N.numel() else logits_NV.float().sum()
        )
        return Tally(total, total.new_tensor(labels_N.numel()))

    def count(self, batch: Batch) -> float:
        """How many things to learn a batch holds, known before the net has run."""
        return float(batch.labels_N.numel())
