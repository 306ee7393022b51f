"""Dropout that changes linearly from the first block to the last."""

from __future__ import annotations

from collections.abc import Sequence

from circuitvlm.dropout._profile import check_mean, check_probability, scale_to_mean


class Linear:
    """`first` at the first block, `last` at the last, linear between them; a single block has the middle of both.

    `mean` null leaves the profile as it is, with the mean (first + last) / 2. A number scales it to that mean.
    """

    def __init__(self, *, first: float, last: float, mean: float | None) -> None:
        self.first = check_probability(first, name="first")
        self.last = check_probability(last, name="last")
        self.mean = check_mean(mean)

    def profile(self, depth: int) -> Sequence[float]:
        """One probability per block. Raises ValueError where the requested mean would set a block to 1 or more."""
        positions = [k / (depth - 1) for k in range(depth)] if depth > 1 else [0.5]
        return scale_to_mean([self.first * (1 - x) + self.last * x for x in positions], mean=self.mean)
