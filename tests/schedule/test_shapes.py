"""Check the shape of every schedule, for a run of any length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.schedule.constant import constant
from circuitvlm.schedule.cosine import cosine
from circuitvlm.schedule.cyclical import exp_range, triangular, triangular2
from circuitvlm.schedule.exponential import exponential
from circuitvlm.schedule.one_cycle import one_cycle
from circuitvlm.schedule.step import step as stairs
from tests.contract import parts

NAMES = parts.names("schedule")
STAIRS = [name for name in NAMES if parts.section("schedule", name)["_target_"].endswith(".step.step")]
SMOOTH = [name for name in NAMES if name not in STAIRS]
CYCLICAL = [name for name in NAMES if "cycles" in parts.section("schedule", name)]
DECAY_NAMES = [name for name in NAMES if name != "constant" and name not in CYCLICAL]
FINE = 20_000

SHARE = st.floats(0, 1)
TOTAL = st.floats(1, 1e7)


def factors(name: str) -> list[float]:
    schedule = parts.build("schedule", name)
    return [schedule(at, FINE) for at in range(FINE + 1)]


def jumps(values: list[float]) -> list[int]:
    """Where neighbours are further apart than any of these slopes is steep."""
    return [at for at, (first, second) in enumerate(itertools.pairwise(values), 1) if abs(second - first) > 0.004]


def is_falling(values: list[float]) -> bool:
    return all(second <= first for first, second in itertools.pairwise(values))


def is_rising(values: list[float]) -> bool:
    return is_falling(values[::-1])


def test_the_lists_of_this_file_hold_what_they_say() -> None:
    assert {"step", "step_lavin"} <= set(STAIRS)
    assert {"cyclical", "cyclical_triangular2", "cyclical_exp_range", "cyclical_lavin_trough"} <= set(CYCLICAL)
    assert {"cosine", "exponential", "step", "one_cycle"} <= set(DECAY_NAMES)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(share=SHARE, total=TOTAL, exponent=st.integers(-20, 20))
def test_a_run_of_another_length_has_the_same_rates(name: str, share: float, total: float, exponent: int) -> None:
    schedule, scale = parts.build("schedule", name), 2.0**exponent
    assert schedule(share * total * scale, total * scale) == pytest.approx(schedule(share * total, total), rel=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=50, deadline=None)
@given(share=SHARE, total=TOTAL, scale=st.floats(0.01, 100))
def test_also_where_the_scale_rounds(name: str, share: float, total: float, scale: float) -> None:
    schedule = parts.build("schedule", name)
    assert schedule(share * total * scale, total * scale) == pytest.approx(schedule(share * total, total), abs=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
def test_it_never_jumps(name: str) -> None:
    assert jumps(factors(name)) == []


@pytest.mark.parametrize("name", STAIRS)
def test_stairs_jump_at_their_edges_and_nowhere_else(name: str) -> None:
    settings, values = parts.section("schedule", name), factors(name)
    count = math.floor((1 - settings["warmup"]) / settings["every"] + 1e-9)
    edges = [round(FINE * (settings["warmup"] + n * settings["every"])) for n in range(1, count + 1)]
    assert jumps(values) == [edge for edge in edges if values[edge - 1] > 0.01]
    assert all(values[edge] == pytest.approx(settings["gamma"] * values[edge - 1]) for edge in edges)


@settings(max_examples=300, deadline=None)
@given(
    total=TOTAL,
    of_run=st.sampled_from([5, 7, 10, 20, 30, 300]),
    skipped=st.integers(0, 4),
    drop=st.integers(1, 300),
)
def test_a_stair_begins_on_its_edge_however_it_rounds(total: float, of_run: int, skipped: int, drop: int) -> None:
    """Edges at n-ths of the run: a drop that rounding puts off is one step of a short run at twice the rate."""
    drop = min(drop, of_run - skipped)
    here, edge = 1 / of_run, (skipped + drop) / of_run * total
    assert stairs(edge, total, warmup=skipped / of_run, every=here, gamma=0.99) == pytest.approx(0.99**drop, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_up_is_a_straight_line_to_where_the_rest_begins(name: str) -> None:
    schedule, first = parts.build("schedule", name, warmup=0.25), parts.build("schedule", name, warmup=0.0)(0, 1)
    assert [schedule(at, 4000) for at in range(1001)] == pytest.approx([first * at / 1000 for at in range(1001)])
    assert first == parts.section("schedule", name).get("trough", parts.section("schedule", name).get("start", 1))


@pytest.mark.parametrize("name", SMOOTH)
def test_what_follows_a_warm_up_is_the_same_in_less_time(name: str) -> None:
    after_warmup, bare = parts.build("schedule", name, warmup=0.25), parts.build("schedule", name, warmup=0.0)
    assert [after_warmup(1000 + at, 4000) for at in range(3001)] == pytest.approx(
        [bare(at, 3000) for at in range(3001)]
    )


@pytest.mark.parametrize("name", DECAY_NAMES)
def test_after_its_peak_it_never_rises(name: str) -> None:
    values = factors(name)
    top = values.index(max(values))
    assert is_rising(values[: top + 1])
    assert is_falling(values[top:])
    assert values[-1] < values[top]


@pytest.mark.parametrize("name", CYCLICAL)
def test_a_cyclical_one_turns_at_its_peaks_and_troughs_only(name: str) -> None:
    settings, values = parts.section("schedule", name), factors(name)
    turns = [
        at
        for at in range(1, FINE)
        if (values[at] - values[at - 1]) * (values[at + 1] - values[at]) < 0 or values[at] == values[at + 1]
    ]
    halves = 2 * settings["cycles"] - (settings["end"] == "peak")
    expected_turns = [FINE * n / halves for n in range(1, halves)]
    assert len(turns) == len(expected_turns)
    pairs = zip(turns, expected_turns, strict=True)
    assert all(abs(turn - expected_turn) <= 40 for turn, expected_turn in pairs)  # a shrinking peak turns early


@pytest.mark.parametrize("function", [triangular, triangular2, exp_range])
@pytest.mark.parametrize("cycles", [1, 2, 7])
def test_it_ends_where_it_is_told_to(function: Callable[..., float], cycles: int) -> None:
    arguments = {"decay": 0.5} if function is exp_range else {}
    last = {triangular: 1.0, triangular2: 0.5 ** (cycles - 1), exp_range: 0.5}[function]
    for total in (0.1, 1, 3, 1000, 12345.5):
        ends = {
            end: function(total, total, warmup=0.1, cycles=cycles, end=end, trough=0.2, **arguments)
            for end in ("peak", "trough")
        }
        assert ends == pytest.approx({"peak": 0.2 + 0.8 * last, "trough": 0.2})
        assert function(0, total, warmup=0.0, cycles=cycles, end="peak", trough=0.2, **arguments) == pytest.approx(0.2)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_behind_the_end_has_the_last_rate_and_a_run_of_no_steps_the_first(name: str) -> None:
    schedule = parts.build("schedule", name)
    assert schedule(1001, 1000) == schedule(1000, 1000)
    assert 0 <= schedule(0, 0) <= 1


WRONG: list[tuple[Callable[..., float], dict[str, Any], str]] = [
    (constant, {"warmup": 500}, "schedule.warmup: expected a share .*, got 500"),
    (cosine, {"warmup": -0.1, "floor": 0.0}, "schedule.warmup"),
    (cosine, {"warmup": 0.1, "floor": float("nan")}, "schedule.floor"),
    (exponential, {"warmup": 0.1, "floor": 0.0}, "never reaches 0"),
    (exponential, {"warmup": 0.1, "floor": 1.1}, "schedule.floor: .*got 1.1"),
    (stairs, {"warmup": 0.1, "every": 0.0, "gamma": 0.1}, "schedule.every: .*got 0"),
    (stairs, {"warmup": 0.1, "every": 2, "gamma": 0.1}, "schedule.every: .*got 2"),
    (stairs, {"warmup": 0.1, "every": 0.1, "gamma": 1.1}, "schedule.gamma: .*got 1.1"),
    (triangular, {"warmup": 0.0, "cycles": 0, "end": "peak", "trough": 0.0}, "schedule.cycles: .*got 0"),
    (
        triangular,
        {"warmup": 0.0, "cycles": 1, "end": "top", "trough": 0.0},
        "schedule.end: expected 'peak' or 'trough'.*got 'top'",
    ),
    (triangular2, {"warmup": 0.0, "cycles": 1, "end": "peak", "trough": 1.1}, "schedule.trough: .*got 1.1"),
    (exp_range, {"warmup": 0.0, "cycles": 1, "end": "peak", "trough": 0.0, "decay": 1.1}, "schedule.decay: .*got 1.1"),
    (one_cycle, {"warmup": 0.0, "cycle": 1.0, "start": 0.1, "floor": 0.0}, "schedule.cycle: .*got 1.0"),
    (one_cycle, {"warmup": 0.0, "cycle": 0.0, "start": 0.1, "floor": 0.0}, "schedule.cycle: .*got 0.0"),
    (one_cycle, {"warmup": 0.0, "cycle": 0.9, "start": 1.1, "floor": 0.0}, "schedule.start: .*got 1.1"),
    (
        one_cycle,
        {"warmup": 0.0, "cycle": 0.9, "start": 0.1, "floor": 0.2},
        "schedule.floor: .* at most .*got 0.2",
    ),
]


@pytest.mark.parametrize(("function", "settings", "reason"), WRONG)
def test_what_makes_no_schedule_is_refused_at_its_first_step(
    function: Callable[..., float], settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        function(0.5, 100, **settings)
