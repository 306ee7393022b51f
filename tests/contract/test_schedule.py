"""Does every schedule of conf/schedule keep its promises? And would we notice if not?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.contract import rooms

TOTALS = (1, 2, 3, 10, 1000, 12345.5)
GRID = 400

Said = Mapping[str, Any]


def promise_bounds(schedule: Any, said: Said) -> None:
    """A factor in [0, 1], at every step of every total."""
    for total in TOTALS:
        wrong = [(step, f) for step in _grid(total) if not 0 <= (f := schedule(step, total)) <= 1]
        assert not wrong, f"total {total}: (step, factor) such as {wrong[:2]} lie outside of [0, 1]"


def promise_ends(schedule: Any, said: Said) -> None:
    """It begins low where it warms up, reaches the peak, and ends at its floor where it states one."""
    for total in (100, 1000, 12345.5):
        factors = [schedule(step, total) for step in _grid(total)]
        if said.get("warmup"):
            assert factors[0] < 0.05, f"total {total}: a warm-up that begins at {factors[0]}"
        assert max(factors) > 0.9, f"total {total}: the peak rate is never reached, only {max(factors)} of it"
        if "floor" in said:
            assert factors[-1] == pytest.approx(said["floor"], abs=1e-6), f"total {total}: ends at {factors[-1]}"


def promise_same(schedule: Any, said: Said) -> None:
    """The same at a step whatever was asked before: a run that goes on has the rates of one that never stopped."""
    for total in TOTALS:
        steps = _grid(total)
        wanted = {step: schedule(step, total) for step in steps}
        random.Random(0).shuffle(steps)
        for step in steps:
            assert schedule(step, total) == wanted[step], f"total {total}, step {step}: another factor when asked again"


def _grid(total: float) -> list[float]:
    return [float(step) for step in np.linspace(0, total, GRID)]


@pytest.mark.parametrize("name", rooms.names("schedule"))
@rooms.promises(globals())
def test_schedule_keeps(promise: rooms.Promise, name: str) -> None:
    rooms.hold(promise, rooms.build("schedule", name), rooms.section("schedule", name))


@pytest.mark.parametrize("changed", [{"warmup": 0.0}, {"warmup": 0.5}, {"warmup": 1.0}, {"floor": 0.1}])
@pytest.mark.parametrize("name", rooms.names("schedule"))
@rooms.promises(globals())
def test_schedule_keeps_at_the_edges(promise: rooms.Promise, name: str, changed: dict[str, float]) -> None:
    said = rooms.section("schedule", name)
    if not changed.keys() <= said.keys():
        pytest.skip(f"{name} has no {', '.join(changed)}")
    if promise is promise_ends and changed.get("warmup") == 1.0:
        pytest.skip("all warm-up: there is no end")
    rooms.hold(promise, rooms.build("schedule", name, **changed), said | changed)


def overshooting(step: float, total: float) -> float:
    return 1.2 - step / total if step else 0.0


def hanging(step: float, total: float) -> float:
    return min(1.0, 10 * step / total)


class Remembering:
    """It counts its own calls, as torch's own schedulers do."""

    calls = 0

    def __call__(self, step: float, total: float) -> float:
        self.calls += 1
        return 1 / self.calls


BROKEN = [
    (promise_bounds, overshooting, "outside of"),
    (promise_ends, hanging, "ends at"),
    (promise_same, Remembering(), "another factor"),
]


@pytest.mark.parametrize(("promise", "fault", "said"), BROKEN, ids=[rooms.name_of(row[0]) for row in BROKEN])
def test_a_broken_schedule_is_noticed(promise: rooms.Promise, fault: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        promise(fault, {"warmup": 0.1, "floor": 0.0})


def test_every_promise_is_proven() -> None:
    assert rooms.unproven(globals(), BROKEN) == []
