"""One cycle of the learning rate, then a decay far below its start (Smith and Topin 2017, arXiv 1708.07120)."""

from __future__ import annotations

from circuitvlm.schedule._warmup import check_shares, with_warmup


def one_cycle(step: float, total: float, *, warmup: float, cycle: float, start: float, floor: float) -> float:
    """The factor on the peak rate by the 1cycle policy, in three lines.

    It rises from `start` to 1 and falls back, each in half of the share `cycle`, and then falls from `start` to
    `floor`. `warmup` is the share of `total` before that, from 0 to `start`; mostly 0, since the first line is a
    warm-up already. Raises ValueError where `cycle` is not between 0 and 1, or where `floor` is more than `start`.
    """
    check_shares(start=start, floor=floor)
    if not 0 < cycle < 1:
        raise ValueError(f"schedule.cycle: expected a share of the run above 0 and below 1 (try 0.9), got {cycle}")
    if floor > start:
        raise ValueError(f"schedule.floor: expected at most schedule.start, {start}, got {floor}")

    def shape(share: float) -> float:
        if share < cycle:
            return start + (1 - start) * (1 - abs(2 * share / cycle - 1))
        return start + (floor - start) * ((share - cycle) / (1 - cycle))

    return with_warmup(step, total, warmup=warmup, shape=shape)
