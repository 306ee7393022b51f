"""Compare the schedules of the LaVIN study with the learning rates that its authors logged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import parts

LOG: dict[str, Any] = json.loads((parts.FIXTURES / "lavin_lr.json").read_text(encoding="utf-8"))
TRAINING_COUNT = LOG["micro_steps"] / LOG["accumulation"]
"""Optimizer steps of an epoch: no whole number, since the windows begin anew with every epoch."""


def means(schedule: Callable[[float, float], float], *, accumulation: int) -> list[float]:
    """The mean rate of every epoch over its micro-steps, where the rate moves with the first of every window."""
    epochs, count = LOG["epochs"], LOG["micro_steps"]
    per_step = LOG["accumulation"]
    return [
        LOG["peak"]
        * math.fsum(
            schedule(epoch * TRAINING_COUNT + index // accumulation * accumulation / per_step, epochs * TRAINING_COUNT)
            for index in range(count)
        )
        / count
        for epoch in range(epochs)
    ]


def worst(name: str, *, accumulation: int = LOG["accumulation"], **changes: float) -> float:
    """The largest distance between the logged rates and those of a YAML."""
    rates = means(parts.build("schedule", name, **changes), accumulation=accumulation)
    return max(abs(mean - logged_mean) for mean, logged_mean in zip(rates, LOG["means"][name], strict=True))


def test_there_are_eighty_logged_rates() -> None:
    assert [len(row) for row in LOG["means"].values()] == [LOG["epochs"]] * 4


@pytest.mark.parametrize("name", LOG["means"])
def test_every_mean_rate_of_an_epoch_is_the_logged_one(name: str) -> None:
    assert worst(name) < 1e-9


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cosine_lavin", {"floor": 1e-5}),
        ("cosine_lavin", {"warmup": 0.10001}),
        ("cyclical_lavin", {"trough": 5e-5}),
        ("step_lavin", {"every": 0.0999}),
        ("exponential_lavin", {"floor": 0.0089}),
        *((name, {"accumulation": 1}) for name in LOG["means"]),
    ],
)
def test_a_slightly_different_schedule_is_told_apart(name: str, changes: dict[str, Any]) -> None:
    assert worst(name, **changes) > 1e-9


def test_the_two_cyclical_arms_differ_in_their_end_only() -> None:
    peak, trough = parts.section("schedule", "cyclical_lavin"), parts.section("schedule", "cyclical_lavin_trough")
    assert {key for key in peak if peak[key] != trough[key]} == {"end"}
    assert parts.build("schedule", "cyclical_lavin")(20, 20) == pytest.approx(3.1875e-4 / LOG["peak"])
    assert parts.build("schedule", "cyclical_lavin_trough")(20, 20) == pytest.approx(5e-5 / LOG["peak"])
