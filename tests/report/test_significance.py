"""Test the intervals of shares and means against SciPy, and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from circuitvlm.report.significance import Interval, mean, paired_gain, wilson


@pytest.mark.parametrize("count", [1, 2, 7, 50, 500, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.97, 1.0])
def test_wilson_is_scipys(count: int, share: float) -> None:
    successes = round(share * count)
    scipy_interval = binomtest(successes, count).proportion_ci(confidence_level=0.95, method="wilson")
    interval = wilson(successes, count)
    assert interval.value == successes / count
    assert (interval.low, interval.high) == pytest.approx((scipy_interval.low, scipy_interval.high), abs=1e-9)
    assert 0 <= interval.low <= interval.value + 1e-12
    assert interval.value - 1e-12 <= interval.high <= 1


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) == mean([]) == Interval(0.0, 0.0, 1.0)


def test_the_mean_of_zeros_and_ones_is_a_share() -> None:
    assert mean([1.0, 0.0, 1.0, 1.0]) == wilson(3, 4)


def test_the_mean_of_other_scores_has_a_bootstrap_interval() -> None:
    values = np.random.default_rng(0).beta(2, 1, size=400)
    interval, error = mean(list(values)), values.std() / 20
    assert interval.value == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=error / 5
    )
    assert mean(list(values)) == interval, "the same numbers, the same interval"


def test_a_paired_interval_holds_the_true_gain_as_often_as_it_says() -> None:
    rng, hits, gain, trials = np.random.default_rng(1), 0, 0.15, 200
    for trial in range(trials):
        hard = rng.random(80)  # how hard an item is for both systems: what pairing takes out
        old, new = (hard < 0.5).astype(float), (hard < 0.5 + gain).astype(float)
        interval = paired_gain(list(new), list(old), seed=trial, draws=300)
        hits += interval.low <= gain <= interval.high
    assert 0.88 <= hits / trials <= 0.99


def test_a_paired_interval_is_narrower_than_two_shares() -> None:
    hard = np.random.default_rng(2).random(300)
    old, new = (hard < 0.5).astype(float), (hard < 0.55).astype(float)
    interval = paired_gain(list(new), list(old))
    assert interval.low > 0, "a gain on the same items is seen although the two shares' intervals overlap"
    assert wilson(new.sum(), 300).low < wilson(old.sum(), 300).high


def test_equal_systems_have_no_gain() -> None:
    assert paired_gain([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]) == Interval(0.0, 0.0, 0.0)


def test_other_items_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="got 2 and 1 values"):
        paired_gain([1.0, 0.0], [1.0])
