"""Compute intervals of a share, and intervals and p-values of the difference of two systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact
from scipy.stats import t as student

Z95 = 1.959963984540054
ALPHA = 0.05  # the significance level of a verdict
MIN_EXPECTED_COUNT = 5  # right or wrong answers, for the z-test
_CHUNK = 500  # draws at a time; for 4,000 items they take 16 MB


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
    """The mean, with Wilson's interval where all values are 0 or 1, else with a bootstrap percentile interval."""
    if not values or all(v in (0.0, 1.0) for v in values):
        return wilson(sum(values), len(values))
    return _bootstrap(np.asarray(values), seed=seed, draws=draws)


def paired_gain(new: Sequence[float], old: Sequence[float], *, seed: int = 0, draws: int = 4000) -> Interval:
    """Mean of new - old over the same items, with a paired bootstrap's percentile interval (Efron 1979).

    Raises ValueError for lists of different lengths.
    """
    if len(new) != len(old):
        raise ValueError(f"paired_gain: expected values of the same items, got {len(new)} and {len(old)} values")
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
    """A difference with its 95 % interval, and the two-sided p-value of the hypothesis that there is none."""

    p: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gain over a base (-1 to 1), with its p-value after Holm's correction over all verdicts of a table.

    `counts` names the numbers of items and seeds, for a gain that is not distinguishable at these; `note` ends the
    sentence.
    """

    name: str
    base: str
    gain: Comparison
    p: float
    counts: str
    note: str = ""

    @property
    def word(self) -> str:
        """better, worse, or not distinguishable."""
        if self.p >= ALPHA:
            return "not distinguishable"
        return "better" if self.gain.value > 0 else "worse"

    @property
    def sentence(self) -> str:
        """The verdict with its numbers, the gain in points."""
        comparison = f"than {self.base}" if self.p < ALPHA else f"from {self.base} at {self.counts}"
        size = f"{100 * self.gain.value:+.2f} points [{100 * self.gain.low:+.2f}, {100 * self.gain.high:+.2f}]"
        numbers = f"{size}, p = {self.p:.3g} after Holm's correction{self.note}"
        return f"{self.name}: {self.word} {comparison}: {numbers}."


def mean_over_runs(scores_SN: Sequence[Sequence[float]]) -> Interval:
    """The mean of scores by seed S and item N, with Student's interval (Student 1908) for the mean of another seed.

    With one seed there is no such estimate, and the interval is that of the items.
    """
    if len(scores_SN) == 1:
        return mean(scores_SN[0])
    means = np.array([np.mean(row) for row in scores_SN])
    centre = float(means.mean())
    half = float(student.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    return Interval(centre, max(0.0, centre - half), min(1.0, centre + half))


def resampled_gain(
    new_SN: Sequence[Sequence[float]],
    old_SN: Sequence[Sequence[float]],
    *,
    same_seeds: bool,
    seed: int = 0,
    draws: int = 4000,
) -> Comparison:
    """Mean of new - old by a bootstrap over seeds and items (Efron 1979), for scores by seed S and item N.

    The items are drawn for both together, and so are the seeds where both have the same. Of S seeds S - 1 are drawn
    (Rao and Wu 1988, J. Am. Stat. Assoc. 83), which makes the spread of few seeds unbiased. A single seed is not
    resampled, and the interval then has the variance of the items only. Interval and p-value are Student's with that
    spread. Their degrees of freedom are those of the seeds' part, so three seeds that scatter widely show little.
    Raises ValueError where the numbers of items, or of paired seeds, differ.
    """
    new, old = (np.asarray(rows, dtype=float) for rows in (new_SN, old_SN))
    if new.shape[1] != old.shape[1] or (same_seeds and len(new) != len(old)):
        raise ValueError(
            f"resampled_gain: expected scores of the same items and seeds, got {new.shape} and {old.shape}"
        )
    rng = np.random.default_rng(seed)
    count = new.shape[1]
    gains = []
    for _ in range(-(-draws // _CHUNK)):
        items_DN = rng.multinomial(count, np.full(count, 1 / count), size=_CHUNK) / count
        new_DS = _seed_weights(len(new), rng)
        old_DS = new_DS if same_seeds else _seed_weights(len(old), rng)
        gains.append(((items_DN @ new.T) * new_DS).sum(1) - ((items_DN @ old.T) * old_DS).sum(1))
    spread = float(np.concatenate(gains).std())
    freedom = _freedom(spread, [new.mean(1) - old.mean(1)] if same_seeds else [new.mean(1), old.mean(1)])
    gain = float(new.mean() - old.mean())
    half = float(student.ppf(0.975, freedom)) * spread
    p = 2 * float(student.sf(abs(gain) / spread, freedom)) if spread else float(gain == 0)
    return Comparison(gain, gain - half, gain + half, p)


def _freedom(spread: float, groups: Sequence[np.ndarray]) -> float:
    """Degrees of freedom of a spread whose seed part comes from few means; its item part counts as exact.

    They are those of the seed part (Satterthwaite 1946, Biometrics Bulletin 2), times the ratio of the total variance
    to that part. His own formula has the square of the ratio, which is too large where the seed part is small by
    chance. It would distinguish up to 8 % of equal arms of three seeds (tests/report/test_significance_seeds.py).
    """
    parts = [(float(g.var(ddof=1)) / len(g), len(g) - 1) for g in groups if len(g) > 1]
    seed_variance = sum(variance for variance, _ in parts)
    denominator = sum(variance**2 / freedom for variance, freedom in parts)
    return max(spread**2, seed_variance) * seed_variance / denominator if denominator else np.inf


def unpaired_gain(new: float, new_count: int, old: float, old_count: int) -> Comparison:
    """The difference of two shares (0 to 1) of different items, with Newcombe's interval and the pooled z-test.

    R. G. Newcombe 1998, Statistics in Medicine 17, method 10. Fisher's exact test replaces the z-test where it expects
    fewer than five right or wrong answers (W. G. Cochran 1954, Biometrics 10).
    """
    new_wilson, old_wilson = wilson(new * new_count, new_count), wilson(old * old_count, old_count)
    gain = new - old
    low = gain - math.hypot(new - new_wilson.low, old_wilson.high - old)
    high = gain + math.hypot(new_wilson.high - new, old - old_wilson.low)
    pooled_share = (new * new_count + old * old_count) / (new_count + old_count)
    spread = math.sqrt(pooled_share * (1 - pooled_share) * (1 / new_count + 1 / old_count))
    if min(pooled_share, 1 - pooled_share) * min(new_count, old_count) < MIN_EXPECTED_COUNT:
        table = [[round(p * n), n - round(p * n)] for p, n in ((new, new_count), (old, old_count))]
        return Comparison(gain, low, high, float(fisher_exact(table).pvalue))
    return Comparison(gain, low, high, math.erfc(abs(gain) / spread / math.sqrt(2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (S. Holm 1979, Scandinavian Journal of Statistics 6), in their order."""
    corrected_values, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected_values[index] = largest
    return corrected_values


def _seed_weights(count: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, seeds): the weights of the seeds in each draw."""
    if count == 1:
        return np.ones((_CHUNK, 1))
    return np.asarray(rng.multinomial(count - 1, np.full(count, 1 / count), size=_CHUNK) / (count - 1))
