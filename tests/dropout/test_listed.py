"""Check that a linear profile has its ends and its mean, and that a list serves its own length only."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.dropout.linear import Linear
from circuitvlm.dropout.listed import Listed

probabilities = st.floats(0, 0.999)


@given(first=probabilities, last=probabilities, depth=st.integers(1, 80))
def test_a_line_has_its_ends_equal_steps_and_one_mean_at_any_depth(first: float, last: float, depth: int) -> None:
    profile = Linear(first=first, last=last, mean=None).profile(depth)
    assert math.fsum(profile) / depth == pytest.approx((first + last) / 2, abs=1e-12)
    if depth > 1:
        assert (profile[0], profile[-1]) == (first, last)
        step = (last - first) / (depth - 1)
        assert profile == pytest.approx([first + k * step for k in range(depth)], abs=1e-12)


def test_a_line_is_scaled_to_a_mean_and_refused_where_that_cannot_be() -> None:
    line = Linear(first=0.0, last=0.2, mean=0.05)
    assert line.profile(3) == pytest.approx([0.0, 0.05, 0.1])
    assert line.profile(1) == pytest.approx([0.05])
    with pytest.raises(ValueError, match=r"less than 0\.5 .*sets block 3 of 3 to 1\.2"):
        Linear(first=0.0, last=0.2, mean=0.6).profile(3)
    with pytest.raises(ValueError, match=r"dropout\.last: .*got 1"):
        Linear(first=0.0, last=1, mean=None)


def test_a_list_is_taken_as_it_stands() -> None:
    values = [0.3, 0.0, 0.25]
    part = Listed(values=values, mean=None)
    assert part.profile(3) == values
    values[0] = 0.9
    assert part.profile(3) == part.profile(3) == [0.3, 0.0, 0.25]


@given(values=st.lists(st.floats(0, 0.5), min_size=1, max_size=60), target_mean=st.floats(0.001, 0.01))
def test_a_list_is_scaled_to_a_mean(values: list[float], target_mean: float) -> None:
    if max(values) < 1e-6:
        values[0] = 0.1
    profile = Listed(values=values, mean=target_mean).profile(len(values))
    assert math.fsum(profile) / len(profile) == pytest.approx(target_mean, abs=1e-9)
    assert all(0 <= p < 1 for p in profile)
    assert [p * sum(values) for p in profile] == pytest.approx([v * sum(profile) for v in values], abs=1e-12)


@pytest.mark.parametrize(("depth", "message"), [(2, "2 blocks"), (4, "4 blocks"), (1, "1 block,"), (32, "32 blocks")])
def test_a_list_is_never_stretched_or_cut(depth: int, message: str) -> None:
    with pytest.raises(ValueError, match=rf"exactly one value for each of {message}.*got 3"):
        Listed(values=[0.1, 0.2, 0.3], mean=None).profile(depth)


@pytest.mark.parametrize(
    ("values", "mean", "message"),
    [
        ([], None, r"got \[\]"),
        ([0.1, 1.0], None, r"values\[1\]: expected a probability.*got 1\.0"),
        ([0.1, -0.1], None, r"values\[1\]: .*got -0\.1"),
        ([0.0, 0.0], 0.1, "a profile of 2 zeros"),
        ([0.1, 0.9], 0.6, "sets block 2 of 2"),
    ],
)
def test_a_list_that_cannot_be_is_refused_when_built(values: list[float], mean: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Listed(values=values, mean=mean)
