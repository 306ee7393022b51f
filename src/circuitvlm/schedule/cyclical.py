"""Cyclical learning rates: triangles between a low and a high rate (Smith 2017, arXiv 1506.01186).

`cycles` counts the peaks. A run that ends in the `trough` has that many whole cycles; one that ends on the `peak` has
half a cycle less. `warmup` is the share of `total` before the first cycle, in which the factor rises from 0 to the
trough. It is mostly 0, since the first rise is a warm-up already.
"""

from __future__ import annotations

import math
from typing import Literal

from circuitvlm.schedule._warmup import check_shares, with_warmup

End = Literal["peak", "trough"]


def triangular(step: float, total: float, *, warmup: float, cycles: int, end: End, trough: float) -> float:
    """The factor on the peak rate: linear from `trough` to 1 and back, with equal peaks."""
    count = _cycle_count(cycles=cycles, end=end)
    return with_warmup(step, total, warmup=warmup, shape=lambda share: _scale(_triangle(share * count), trough))


def triangular2(step: float, total: float, *, warmup: float, cycles: int, end: End, trough: float) -> float:
    """As `triangular`, where the height of each peak above the trough is half of the previous one."""
    count = _cycle_count(cycles=cycles, end=end)

    def shape(share: float) -> float:
        return _scale(_triangle(share * count) * 0.5 ** math.floor(share * count), trough)

    return with_warmup(step, total, warmup=warmup, shape=shape)


def exp_range(step: float, total: float, *, warmup: float, cycles: int, end: End, trough: float, decay: float) -> float:
    """As `triangular`, where the height shrinks exponentially, to the fraction `decay` at the end of the run.

    Smith's gamma, a factor per step, is decay^(1 / total) without a warm-up. The first peak is a little lower too.
    """
    check_shares(decay=decay)
    count = _cycle_count(cycles=cycles, end=end)
    return with_warmup(
        step, total, warmup=warmup, shape=lambda share: _scale(_triangle(share * count) * decay**share, trough)
    )


def _cycle_count(*, cycles: int, end: End) -> float:
    """The number of cycles from the first step to the last."""
    if cycles < 1:
        raise ValueError(f"schedule.cycles: expected 1 or more peaks, got {cycles}")
    if end not in ("peak", "trough"):
        raise ValueError(f"schedule.end: expected 'peak' or 'trough', where the run ends, got {end!r}")
    return cycles - 0.5 if end == "peak" else cycles


def _triangle(position: float) -> float:
    """0 at every whole position, 1 half-way between two."""
    return 1 - abs(2 * (position - math.floor(position)) - 1)


def _scale(height: float, trough: float) -> float:
    """Map a height of 0 to 1 to a factor of `trough` to 1."""
    check_shares(trough=trough)
    return trough + (1 - trough) * height
