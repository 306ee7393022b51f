"""Dropout that is listed block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from circuitvlm.dropout._profile import check_mean, check_probability, scale_to_mean


class Listed:
    """One probability for each block, from the first to the last.

    A stack of blocks must be exactly as deep as the list is long: nothing is repeated, cut or interpolated. So a list
    serves one stack, or several of one depth. `mean` null leaves the values as they are; a number scales them to it.
    """

    exempt: ClassVar[dict[str, str]] = dict.fromkeys(
        ("length", "probabilities", "same"),
        "a list serves one depth, its own length; tests/dropout checks all three there",
    )

    def __init__(self, *, values: Sequence[float], mean: float | None) -> None:
        if not values:
            raise ValueError(f"dropout.values: expected one probability for each block, got {values!r}")
        self.values = [check_probability(p, name=f"values[{k}]") for k, p in enumerate(values)]
        self.mean = check_mean(mean)
        self.profile(len(self.values))  # an impossible mean is reported before any model is built

    def profile(self, depth: int) -> Sequence[float]:
        """One probability per block. Raises ValueError for another depth than the length of the list."""
        if depth != len(self.values):
            raise ValueError(
                f"dropout.values: expected exactly one value for each of {depth} block{'s' * (depth != 1)}, got "
                f"{len(self.values)}; for stacks of several depths use dropout=linear or dropout=geometric"
            )
        return scale_to_mean(self.values, mean=self.mean)
