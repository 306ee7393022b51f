"""The same dropout at every depth."""

from __future__ import annotations

from collections.abc import Sequence

from circuitvlm.dropout._profile import check_probability


class Constant:
    """Probability `p` in [0, 1) for every block; the mean is `p` too."""

    def __init__(self, *, p: float) -> None:
        self.p = check_probability(p, name="p")

    def profile(self, depth: int) -> Sequence[float]:
        """One probability per block, from the first to the last."""
        return [self.p] * depth
