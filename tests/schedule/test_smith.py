"""Compare the schedules of Smith's papers with those of torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

from circuitvlm.schedule.cyclical import exp_range, triangular, triangular2
from circuitvlm.schedule.one_cycle import one_cycle

TOTAL = 120


def rates(scheduler: Any, optimizer: torch.optim.Optimizer) -> list[float]:
    """The rate at every step from 0 to TOTAL."""
    values = [optimizer.param_groups[0]["lr"]]
    for _ in range(TOTAL):
        optimizer.step()
        scheduler.step()
        values.append(optimizer.param_groups[0]["lr"])
    return values


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


@pytest.mark.parametrize(("end", "half"), [("peak", 24), ("trough", 20)])
@pytest.mark.parametrize("policy", [triangular, triangular2, exp_range])
def test_cyclical_is_torchs(policy: Any, end: str, half: int) -> None:
    optimizer, decay = sgd(), 0.3
    arguments = {"decay": decay} if policy is exp_range else {}
    scheduler = CyclicLR(
        optimizer,
        base_lr=0.05,
        max_lr=1.0,
        step_size_up=half,
        mode=policy.__name__,
        gamma=decay ** (1 / TOTAL),
        cycle_momentum=False,
    )
    factors = [policy(at, TOTAL, warmup=0.0, cycles=3, end=end, trough=0.05, **arguments) for at in range(TOTAL + 1)]
    assert factors == pytest.approx(rates(scheduler, optimizer), abs=1e-9)


@pytest.mark.parametrize("cycle", [0.5, 0.9])
def test_one_cycle_is_torchs_of_three_phases(cycle: float) -> None:
    """Torch takes one step off each phase: its shares are those of TOTAL + 1 steps, and one of them more."""
    optimizer = sgd()
    scheduler = OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=TOTAL + 1,
        pct_start=(cycle / 2 * TOTAL + 1) / (TOTAL + 1),
        anneal_strategy="linear",
        cycle_momentum=False,
        div_factor=10,
        final_div_factor=50,
        three_phase=True,
    )
    factors = [one_cycle(at, TOTAL, warmup=0.0, cycle=cycle, start=0.1, floor=0.002) for at in range(TOTAL + 1)]
    assert factors == pytest.approx(rates(scheduler, optimizer), abs=1e-9)
