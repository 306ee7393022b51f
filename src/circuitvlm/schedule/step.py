"""Step decay of the learning rate after a linear warm-up."""

from __future__ import annotations

import math

from circuitvlm.schedule._warmup import check_shares, with_warmup

TOLERANCE = 1e-9
"""In drops: a position so little before a drop counts as after it, since 0.1 + 0.2 of a run must be 0.3 of it."""


def step(step: float, total: float, *, warmup: float, every: float, gamma: float) -> float:
    """The factor on the peak rate: gamma^n after n drops, one after each share `every` of `total`.

    `warmup` is the share of `total` (0 to 1) in which the factor rises from 0 to 1; drops are counted from its end.
    Raises ValueError where `every` is 0.
    """
    check_shares(every=every, gamma=gamma)
    if every == 0:
        raise ValueError(f"schedule.every: expected a share of the run above 0 (try 0.1), got {every}")
    return with_warmup(
        step, total, warmup=warmup, shape=lambda share: gamma ** math.floor(share * (1 - warmup) / every + TOLERANCE)
    )
