"""Dropout that changes by one factor from block to block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from circuitvlm.dropout._profile import check_mean, check_probability, scale_to_mean


class Geometric:
    """Block i = 1..n has p v^(i-1), bounded by `lim`: from below where v < 1, from above where v > 1.

    `lim` null sets no bound. `mean` null leaves this profile as it is. A number scales the bounded profile to that mean
    over depth. Then `lim` is scaled too, and profiles of one mean differ only in their shape.
    """

    def __init__(self, *, p: float, v: float, lim: float | None, mean: float | None) -> None:
        self.p = check_probability(p, name="p")
        if not 0 < v < math.inf:
            raise ValueError(f"dropout.v: expected a factor above 0 (below 1 for less with depth), got {v}")
        if lim is not None and (check_probability(lim, name="lim") - p) * (v - 1) < 0:
            bound = "an upper bound, at least" if v > 1 else "a lower bound, at most"
            raise ValueError(f"dropout.lim: expected {bound} p = {p}, since v = {v}, got {lim}")
        self.v, self.lim, self.mean = v, lim, check_mean(mean)

    def profile(self, depth: int) -> Sequence[float]:
        """One probability per block, from the first to the last. Raises ValueError where one would be 1 or more."""
        bounded_profile = list(accumulate(range(1, depth), lambda p, _: self._next(p), initial=self.p))
        profile = scale_to_mean(bounded_profile, mean=self.mean)
        invalid_blocks = [block for block, p in enumerate(profile, start=1) if not p < 1]
        if invalid_blocks:
            raise ValueError(
                f"dropout: expected probabilities below 1, got 1 or more for {self.p} x {self.v}^(i-1) from block "
                f"{invalid_blocks[0]} of {depth}; set lim, an upper bound"
            )
        return profile

    def _next(self, p: float) -> float:
        """The probability of the next block; step by step, since a power of v could overflow."""
        if self.lim is None or self.v == 1:
            return p * self.v
        return min(p * self.v, self.lim) if self.v > 1 else max(p * self.v, self.lim)
