"""How sure are we? Intervals for a share, and for the difference of two systems on the same items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval, in the unit of the estimate."""

    value: float
    low: float
    high: float


def wilson(successes: float, count: int, *, z: float = Z95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22); of 0 items, from 0 to 1."""
    if count == 0:
        return Interval(0.0, 0.0, 1.0)
    p = successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def mean(values: Sequence[float], *, seed: int = 0, draws: int = 4000) -> Interval:
    """A share's Wilson interval where all values are 0 or 1, else a bootstrap percentile interval of the mean."""
    if not values or all(v in (0.0, 1.0) for v in values):
        return wilson(sum(values), len(values))
    return _bootstrap(np.asarray(values), seed=seed, draws=draws)


def paired(new: Sequence[float], old: Sequence[float], *, seed: int = 0, draws: int = 4000) -> Interval:
    """Mean of new - old over the same items, with a paired bootstrap's percentile interval (Efron 1979)."""
    if len(new) != len(old):
        raise ValueError(f"paired: {len(new)} and {len(old)} values; both systems must answer the same items")
    return _bootstrap(np.asarray(new) - np.asarray(old), seed=seed, draws=draws)


def _bootstrap(values: np.ndarray, *, seed: int, draws: int) -> Interval:
    if len(values) == 0:
        return Interval(0.0, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(draws)])
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))
