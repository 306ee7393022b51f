"""Cross-entropy of the reply tokens, as a mean over each micro-batch.

Shape suffixes: N labelled tokens, V vocabulary.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from circuitvlm.core.tensor import Batch, Tally


class MicroBatch:
    """The mean negative log-likelihood (nats) of the labelled tokens of a micro-batch; a step averages these means.

    Plain gradient accumulation gives this loss. It depends on how samples are divided into micro-batches, and exists to
    repeat studies that used it; `objective=reply` does not depend on that.
    """

    exempt: ClassVar[dict[str, str]] = {"halves": "a mean of means depends on how the samples are divided"}

    def tally(self, logits_NV: Tensor, batch: Batch) -> Tally:
        """Return the mean over the labelled tokens and 1; 0 / 0 without labelled tokens."""
        labels_N = batch.labels_N
        total = cross_entropy(logits_NV.float(), labels_N, reduction="sum") / max(labels_N.numel(), 1)
        return Tally(total, total.new_tensor(self.count(batch)))

    def count(self, batch: Batch) -> float:
        """1 where a token is labelled, else 0."""
        return float(batch.labels_N.numel() > 0)
