"""Check the promises of every schedule of conf/schedule, and that a broken one is noticed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.contract import parts

TOTALS = (1, 2, 3, 10, 1000, 12345.5)
GRID = 400

Settings = Mapping[str, Any]


def promise_bounds(schedule: Any, settings: Settings) -> None:
    """A factor in [0, 1], at every step of every total."""
    for total in TOTALS:
        wrong = [(step, f) for step in _grid(total) if not 0 <= (f := schedule(step, total)) <= 1]
        assert not wrong, f"total {total}: (step, factor) such as {wrong[:2]} lie outside of [0, 1]"


def promise_ends(schedule: Any, settings: Settings) -> None:
    """It starts low if it has a warm-up, reaches the peak, and ends at its `floor` if it has one."""
    for total in (100, 1000, 12345.5):
        factors = [schedule(step, total) for step in _grid(total)]
        if settings.get("warmup"):
            assert factors[0] < 0.05, f"total {total}: a warm-up that starts at {factors[0]}"
        assert max(factors) > 0.9, f"total {total}: expected the peak rate, got at most {max(factors)} of it"
        if "floor" in settings:
            assert factors[-1] == pytest.approx(settings["floor"], abs=1e-6), f"total {total}: ends at {factors[-1]}"


def promise_same(schedule: Any, settings: Settings) -> None:
    """The same at a step in whatever order steps are given: a resumed run has the rates of one that never stopped."""
    for total in TOTALS:
        steps = _grid(total)
        expected = {step: schedule(step, total) for step in steps}
        random.Random(0).shuffle(steps)
        for step in steps:
            assert schedule(step, total) == expected[step], (
                f"total {total}, step {step}: another factor the second time"
            )


def _grid(total: float) -> list[float]:
    return [float(step) for step in np.linspace(0, total, GRID)]


@pytest.mark.parametrize("name", parts.names("schedule"))
@parts.each_promise(globals())
def test_schedule_keeps(promise: parts.Promise, name: str) -> None:
    parts.check_promise(promise, parts.build("schedule", name), parts.section("schedule", name))


@pytest.mark.parametrize("changes", [{"warmup": 0.0}, {"warmup": 0.5}, {"warmup": 1.0}, {"floor": 0.1}])
@pytest.mark.parametrize("name", parts.names("schedule"))
@parts.each_promise(globals())
def test_schedule_keeps_at_the_edges(promise: parts.Promise, name: str, changes: dict[str, float]) -> None:
    settings = parts.section("schedule", name)
    if not changes.keys() <= settings.keys():
        pytest.skip(f"{name} has no {', '.join(changes)}")
    if promise is promise_ends and changes.get("warmup") == 1.0:
        pytest.skip("all warm-up: there is no end")
    parts.check_promise(promise, parts.build("schedule", name, **changes), settings | changes)


def overshoot(step: float, total: float) -> float:
    return 1.2 - step / total if step else 0.0


def constant_after_warmup(step: float, total: float) -> float:
    return min(1.0, 10 * step / total)


class CallCounter:
    """A schedule that depends on the number of its calls, as torch's own schedulers do."""

    calls = 0

    def __call__(self, step: float, total: float) -> float:
        self.calls += 1
        return 1 / self.calls


BROKEN = [
    (promise_bounds, overshoot, "outside of"),
    (promise_ends, constant_after_warmup, "ends at"),
    (promise_same, CallCounter(), "another factor"),
]


@pytest.mark.parametrize(("promise", "fault", "message"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_schedule_is_noticed(promise: parts.Promise, fault: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        promise(fault, {"warmup": 0.1, "floor": 0.0})


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []
