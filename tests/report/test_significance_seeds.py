"""Test intervals and p-values over seeds against SciPy and published numbers, and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from circuitvlm.report.significance import _freedom, holm, mean_over_runs, resampled_gain, unpaired_gain, wilson


def test_holm_is_his_own_procedure() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_over_seeds_is_students() -> None:
    means = [0.86, 0.88, 0.87]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(means), scale=stats.sem(means))
    interval = mean_over_runs([[m] for m in means])
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert mean_over_runs([[0.0, 1.0]]) == wilson(1, 2), "of one seed, the interval of the items"


def test_newcombes_interval_is_that_of_his_paper() -> None:
    """R. G. Newcombe 1998, table II: 56/70 and 48/80, method 10: 0.0524 to 0.3339."""
    interval = unpaired_gain(56 / 70, 70, 48 / 80, 80)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    table = np.array([[56, 14], [48, 32]])
    assert interval.p == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9)


def test_equal_arms_are_rarely_told_apart_and_a_difference_often() -> None:
    """Of 60 pairs of equal arms, about 5 % have a significant difference; a seed moves all items of a run together."""
    rng = np.random.default_rng(3)
    hard = rng.normal(0, 1, 200)

    def arm(gain: float) -> list[list[float]]:
        return [
            (hard + rng.normal(0, 0.5, 200) + rng.normal(0.3 + gain, 0.05) > 0).astype(float).tolist() for _ in range(4)
        ]

    false = sum(resampled_gain(arm(0), arm(0), same_seeds=True, draws=500, seed=k).p < 0.05 for k in range(60))
    true = sum(resampled_gain(arm(0.3), arm(0), same_seeds=True, draws=500, seed=k).p < 0.05 for k in range(20))
    assert false <= 9, f"{false} of 60 equal pairs had a significant difference"
    assert true >= 17, f"{true} of 20 different pairs had a significant difference"


def test_a_duplicate_with_other_seeds_is_rarely_told_apart() -> None:
    """Three seeds each of one recipe, 500 items: at most about 5 % of such pairs are called different, whether the
    training is noisy or not. (Of 60 pairs more than 8 would be, at 5 %, in 1 of 200 tries.)
    """
    rng = np.random.default_rng(5)

    def arm(noise: float) -> list[list[float]]:
        return [(hard + rng.normal(0, 0.7, 500) + rng.normal(0.3, noise) > 0).astype(float).tolist() for _ in range(3)]

    for noise in (0.0, 0.15):
        false = 0
        for k in range(60):
            hard = rng.normal(0, 1, 500)
            false += resampled_gain(arm(noise), arm(noise), same_seeds=False, draws=500, seed=k).p < 0.05
        assert false <= 8, f"{false} of 60 duplicates had a significant difference at noise {noise}"


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0, 10.0])
def test_the_degrees_of_freedom_keep_the_error_near_five_per_cent(ratio: float) -> None:
    """Three seeds without a gain; the items' part of the variance is `ratio` of the seeds'. With Satterthwaite's own
    formula 7.8 % have a significant difference at a ratio of 0.1.
    """
    rng = np.random.default_rng(2)
    gains = rng.normal(size=(8000, 3))
    means = gains.mean(axis=1) + rng.normal(0, np.sqrt(ratio / 3), 8000)
    spreads = np.sqrt((gains.var(axis=1, ddof=1) + ratio) / 3)
    freedoms = [_freedom(float(spread), [row]) for spread, row in zip(spreads, gains, strict=True)]
    assert np.mean(2 * stats.t.sf(abs(means) / spreads, freedoms) < 0.05) < 0.065


def test_few_seeds_that_scatter_widely_prove_little() -> None:
    """Gains of 0.6, 1.0 and 3.0 points over three seeds: Student's p is 0.18, however many the items."""
    rng = np.random.default_rng(0)
    old = [(rng.random(4000) < 0.5).astype(float) for _ in range(3)]
    new = [
        np.clip(o + (rng.random(4000) < 2 * g) * (1 - o), 0, 1) for o, g in zip(old, (0.006, 0.01, 0.03), strict=True)
    ]
    interval = resampled_gain([list(n) for n in new], [list(o) for o in old], same_seeds=True)
    assert interval.p == pytest.approx(0.18, abs=0.06)
    assert interval.low < 0 < interval.high


@pytest.mark.parametrize("count", [64, 300, 424, 4241])
@pytest.mark.parametrize("share", [0, 1])
def test_an_interval_holds_its_own_share(count: int, share: int) -> None:
    interval = wilson(share * count, count)
    assert interval.low <= interval.value <= interval.high


def test_the_same_arm_twice_has_no_difference() -> None:
    scores = [[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    assert resampled_gain(scores, scores, same_seeds=True).p == 1.0


def test_scores_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        resampled_gain([[1.0, 0.0]], [[1.0]], same_seeds=True)
