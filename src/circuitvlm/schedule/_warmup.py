"""Prepend a linear warm-up to a schedule, and check its shares."""

from __future__ import annotations

from collections.abc import Callable


def with_warmup(step: float, total: float, *, warmup: float, shape: Callable[[float], float]) -> float:
    """The factor at a step: a line from 0 to `shape(0)` over the share `warmup` of `total`, then `shape`.

    `shape` gets the completed share (0 to 1) of the steps after the warm-up; of a run without steps this is 0.
    Raises ValueError where `warmup` is no share, such as a number of steps.
    """
    check_shares(warmup=warmup)
    rise = warmup * total
    return step / rise * shape(0.0) if step < rise else shape(min((step - rise) / max(total - rise, 1e-12), 1.0))


def check_shares(**shares: float) -> None:
    """Raise ValueError, with its name, for the first value outside of 0 to 1."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"schedule.{name}: expected a share of the run or the peak rate, 0 to 1, got {share}")
