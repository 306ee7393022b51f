"""Exponential decay of the learning rate after a linear warm-up."""

from __future__ import annotations

from circuitvlm.schedule._warmup import check_shares, with_warmup


def exponential(step: float, total: float, *, warmup: float, floor: float) -> float:
    """The factor on the peak rate: floor^x at the completed share x of the steps after the warm-up.

    `warmup` is the share of `total` (0 to 1) in which the factor rises from 0 to 1; `floor` is the factor at the end.
    Raises ValueError where `floor` is 0, which no exponential reaches.
    """
    check_shares(floor=floor)
    if floor == 0:
        raise ValueError(f"schedule.floor: expected more than 0, since an exponential never reaches 0, got {floor}")
    return with_warmup(step, total, warmup=warmup, shape=lambda share: floor**share)
