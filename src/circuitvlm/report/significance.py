"""How sure are we? Intervals for a share, and for the difference of two systems on the same items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact
from scipy.stats import t as student

Z95 = 1.959963984540054
ALPHA = 0.05
FEWEST_EXPECTED = 5
_CHUNK = 500
"""Draws at a time: of 4,000 items, 16 MB."""


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
    return Interval(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)))


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


@dataclass(frozen=True, slots=True)
class Comparison(Interval):
    """A difference with its 95 % interval and the two-sided p-value of there being none."""

    p: float


def word_of(gain: Interval, p: float) -> str:
    """better, worse, or not distinguishable: what a gain may be called, by its p-value after all corrections."""
    if p >= ALPHA:
        return "not distinguishable"
    return "better" if gain.value > 0 else "worse"


def over_seeds(means: Sequence[float]) -> Interval:
    """The mean of several seeds' means with Student's interval (Student 1908): what another seed may give.

    Of one seed nothing is known of that, and the interval is from 0 to 1.
    """
    values = np.asarray(means, dtype=float)
    if len(values) < 2:
        return Interval(float(values.mean()), 0.0, 1.0)
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return Interval(float(values.mean()), max(0.0, float(values.mean()) - half), min(1.0, float(values.mean()) + half))


def of_runs(scores_SN: Sequence[Sequence[float]]) -> Interval:
    """The mean of scores by seed S and item N with its interval: over the seeds where there are several, else over the
    items.
    """
    return over_seeds([float(np.mean(row)) for row in scores_SN]) if len(scores_SN) > 1 else mean(scores_SN[0])


def resampled(
    new_SN: Sequence[Sequence[float]],
    old_SN: Sequence[Sequence[float]],
    *,
    same_seeds: bool,
    seed: int = 0,
    draws: int = 4000,
) -> Comparison:
    """Mean of new - old, seeds and items resampled (Efron 1979): scores by seed S and by item N, of the same items.

    The items are drawn for both at once, and so are the seeds where both have the same. Of S seeds S - 1 are drawn
    (Rao and Wu 1988, J. Am. Stat. Assoc. 83), which gives few seeds their right spread; a single one is kept, and then
    only the items' chance is in the interval. Interval and p-value are Student's around that spread, with the degrees
    of freedom that the seeds' part of it leaves: three seeds that scatter widely prove little.
    """
    new, old = (np.asarray(rows, dtype=float) for rows in (new_SN, old_SN))
    if new.shape[1] != old.shape[1] or (same_seeds and len(new) != len(old)):
        raise ValueError(f"resampled: scores of shape {new.shape} and {old.shape}; wanted the same items and seeds")
    rng = np.random.default_rng(seed)
    count = new.shape[1]
    found = []
    for _ in range(-(-draws // _CHUNK)):
        items_DN = rng.multinomial(count, np.full(count, 1 / count), size=_CHUNK) / count
        new_DS = _seed_weights(len(new), rng)
        old_DS = new_DS if same_seeds else _seed_weights(len(old), rng)
        found.append(((items_DN @ new.T) * new_DS).sum(1) - ((items_DN @ old.T) * old_DS).sum(1))
    spread = float(np.concatenate(found).std())
    means = [new.mean(1) - old.mean(1)] if same_seeds else [new.mean(1), old.mean(1)]
    freedom = _freedom(spread, means)
    gain = float(new.mean() - old.mean())
    half = float(student.ppf(0.975, freedom)) * spread
    p = 2 * float(student.sf(abs(gain) / spread, freedom)) if spread else float(gain == 0)
    return Comparison(gain, gain - half, gain + half, p)


def _freedom(spread: float, groups: Sequence[np.ndarray]) -> float:
    """Degrees of freedom of a spread whose seeds' part comes from few means; the items' part counts as known.

    Those of the seeds' part alone (Satterthwaite 1946, Biometrics Bulletin 2), times the whole's ratio to that part.
    His own formula has the ratio squared, which is too many where chance has made the seeds' part small: of equal arms
    of three seeds it would tell up to 8 % apart (tests/report/test_significance_seeds.py).
    """
    parts = [(float(g.var(ddof=1)) / len(g), len(g) - 1) for g in groups if len(g) > 1]
    known = sum(part**2 / left for part, left in parts)
    total = max(spread**2, sum(part for part, _ in parts))
    return total * sum(part for part, _ in parts) / known if known else np.inf


def unpaired(new: float, new_count: int, old: float, old_count: int) -> Comparison:
    """The difference of two shares of different items: Newcombe's interval and the pooled z-test.

    R. G. Newcombe 1998, Statistics in Medicine 17, method 10. Fisher's exact test where the z-test would expect fewer
    than five right or wrong answers (W. G. Cochran 1954, Biometrics 10). `new` and `old` are shares in [0, 1].
    """
    one, two = wilson(new * new_count, new_count), wilson(old * old_count, old_count)
    gain = new - old
    low = gain - math.hypot(new - one.low, two.high - old)
    high = gain + math.hypot(one.high - new, old - two.low)
    pooled = (new * new_count + old * old_count) / (new_count + old_count)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / new_count + 1 / old_count))
    if min(pooled, 1 - pooled) * min(new_count, old_count) < FEWEST_EXPECTED:
        table = [[round(p * n), n - round(p * n)] for p, n in ((new, new_count), (old, old_count))]
        return Comparison(gain, low, high, float(fisher_exact(table).pvalue))
    return Comparison(gain, low, high, math.erfc(abs(gain) / spread / math.sqrt(2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (S. Holm 1979, Scandinavian Journal of Statistics 6), in their order."""
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = worst
    return corrected


def _seed_weights(count: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, seeds): the weights of the seeds in each draw."""
    if count == 1:
        return np.ones((_CHUNK, 1))
    return np.asarray(rng.multinomial(count - 1, np.full(count, 1 / count), size=_CHUNK) / (count - 1))
