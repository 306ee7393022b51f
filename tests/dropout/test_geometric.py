"""Check the dropout profiles of the LaVIN study, and that a profile is scaled exactly to a mean."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from circuitvlm.dropout.constant import Constant
from circuitvlm.dropout.geometric import Geometric
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.compose import compose

CONF = Path(__file__).parents[2] / "conf"
STUDY = [  # conf/dropout/<name>, p_1, p_32 and the mean to three decimals: the table of the study's five arms
    ("constant_lavin", 0.1, 0.1, 0.1),
    ("geometric_increasing", 0.1, 0.136, 0.117),
    ("geometric_increasing_v2", 0.1, 0.2, 0.158),
    ("geometric_decreasing", 0.2, 0.146, 0.172),  # 0.14646; tables of the study that say 0.147 were rounded twice
    ("geometric_decreasing_v2", 0.2, 0.1, 0.133),
]


def chosen(name: str) -> Any:
    """The profile of a YAML as a run is given it."""
    section = OmegaConf.to_container(compose([f"dropout={name}"], config_dir=CONF).dropout)
    assert isinstance(section, dict)
    return instantiate({str(key): value for key, value in section.items()})


def mean(profile: Any) -> float:
    return math.fsum(profile) / len(profile)


@pytest.mark.parametrize(("name", "first", "last", "average"), STUDY, ids=[row[0] for row in STUDY])
def test_the_profiles_of_the_study_over_32_blocks(name: str, first: float, last: float, average: float) -> None:
    profile = chosen(name).profile(32)
    assert (round(profile[0], 3), round(profile[-1], 3), round(mean(profile), 3)) == (first, last, average)
    assert len(profile) == 32


@pytest.mark.parametrize("name", [name for name, *_ in STUDY if name.startswith("geometric")])
def test_the_matched_variants_have_the_shape_of_their_arm_and_the_mean_of_the_base(name: str) -> None:
    arm, variant = chosen(name), chosen(f"{name}_matched")
    for depth in (1, 4, 24, 32, 40):
        plain, alike = arm.profile(depth), variant.profile(depth)
        assert mean(alike) == pytest.approx(0.1, abs=1e-12)
        assert [a / p for a, p in zip(alike, plain, strict=True)] == pytest.approx([0.1 / mean(plain)] * depth)


def test_a_bound_is_reached_and_kept() -> None:
    assert Geometric(p=0.1, v=2, lim=0.3, mean=None).profile(5) == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3])
    assert Geometric(p=0.4, v=0.5, lim=0.15, mean=None).profile(4) == pytest.approx([0.4, 0.2, 0.15, 0.15])
    assert Geometric(p=0.4, v=0.5, lim=None, mean=None).profile(4) == pytest.approx([0.4, 0.2, 0.1, 0.05])
    assert Geometric(p=0.1, v=1, lim=None, mean=None).profile(3) == Constant(p=0.1).profile(3)


def test_a_mean_scales_the_bounded_profile_so_its_bound_too() -> None:
    profile = Geometric(p=0.1, v=2, lim=0.3, mean=0.12).profile(5)  # 0.1 0.2 0.3 0.3 0.3 has the mean 0.24
    assert profile == pytest.approx([0.05, 0.1, 0.15, 0.15, 0.15])


def test_a_factor_that_would_overflow_stops_at_its_bound() -> None:
    assert Geometric(p=0.1, v=1e3, lim=0.9, mean=None).profile(500)[1:] == [0.9] * 499


probabilities = st.floats(0.001, 0.99)


@given(p=probabilities, v=st.floats(0.5, 2), depth=st.integers(1, 80), bound=probabilities)
def test_every_profile_follows_the_formula_within_its_bound(p: float, v: float, depth: int, bound: float) -> None:
    lim = max(p, bound) if v > 1 else min(p, bound)
    profile = Geometric(p=p, v=v, lim=lim, mean=None).profile(depth)
    low, high = min(p, lim), max(p, lim)
    assert profile == pytest.approx([min(max(p * v**k, low), high) for k in range(depth)], rel=1e-12)
    assert all((b - a) * (v - 1) >= 0 for a, b in pairwise(profile))


@given(
    p=probabilities,
    v=st.floats(0.8, 1.25),
    depth=st.integers(1, 80),
    bound=probabilities,
    target=st.floats(0, 0.99),
)
def test_a_matched_mean_is_exact_or_refused(p: float, v: float, depth: int, bound: float, target: float) -> None:
    lim = max(p, bound) if v > 1 else min(p, bound)
    plain = Geometric(p=p, v=v, lim=lim, mean=None).profile(depth)
    possible = max(plain) * target / mean(plain)  # of the largest
    assume(abs(possible - 1) > 1e-9)
    part = Geometric(p=p, v=v, lim=lim, mean=target)
    if possible > 1:
        with pytest.raises(ValueError, match=r"dropout\.mean"):
            part.profile(depth)
        return
    profile = part.profile(depth)
    assert mean(profile) == pytest.approx(target, abs=1e-9)
    assert all(0 <= q < 1 for q in profile)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (r"dropout\.p: expected a probability in \[0, 1\), got 1\.0", {"p": 1.0}),
        (r"dropout\.p: .*nan", {"p": math.nan}),
        (r"dropout\.v: expected a factor above 0.*got 0", {"v": 0}),
        (r"dropout\.v: .*inf", {"v": math.inf}),
        (r"dropout\.lim: expected a probability.*got 1\.5", {"lim": 1.5}),
        (r"dropout\.lim: expected an upper bound, at least p = 0\.1, since v = 1\.1, got 0\.05", {"lim": 0.05}),
        (r"dropout\.lim: expected a lower bound, at most p = 0\.1, since v = 0\.9, got 0\.3", {"v": 0.9, "lim": 0.3}),
        (r"dropout\.mean: expected a probability.*got 1", {"mean": 1}),
        (r"dropout\.mean: .*-0\.1", {"mean": -0.1}),
    ],
)
def test_what_cannot_be_is_said_when_built(message: str, change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=message):
        Geometric(**{"p": 0.1, "v": 1.1, "lim": 0.2, "mean": None, **change})


def test_a_profile_without_a_ceiling_is_refused_where_it_reaches_one() -> None:
    part = Geometric(p=0.1, v=1.1, lim=None, mean=None)
    assert max(part.profile(25)) < 1
    with pytest.raises(ValueError, match="from block 26 of 40; set lim"):
        part.profile(40)
    assert mean(Geometric(p=0.1, v=1.1, lim=None, mean=0.1).profile(40)) == pytest.approx(0.1, abs=1e-12)


def test_a_mean_that_cannot_be_is_refused_with_the_largest_that_can() -> None:
    part = Geometric(p=0.1, v=2, lim=0.8, mean=0.6)  # 0.1 0.2 0.4 0.8: the mean is 0.469 of the largest
    with pytest.raises(ValueError, match=r"less than 0\.4688 .*got 0\.6, which sets block 4 of 4 to 1\.28"):
        part.profile(4)
    with pytest.raises(ValueError, match=r"a profile of 4 zeros, got 0\.1"):
        Geometric(p=0, v=2, lim=None, mean=0.1).profile(4)
    assert Geometric(p=0.1, v=2, lim=0.8, mean=0).profile(4) == [0.0] * 4
