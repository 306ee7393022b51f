"""How much noise, at which depth? The same at every depth."""

from __future__ import annotations

from collections.abc import Sequence


class Constant:
    """Probability `p` in [0, 1) for every block."""

    def __init__(self, *, p: float) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"dropout.p: {p}; wanted a probability in [0, 1)")
        self.p = p

    def profile(self, depth: int) -> Sequence[float]:
        return [self.p] * depth
