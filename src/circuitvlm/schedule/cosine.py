"""Cosine decay of the learning rate after a linear warm-up."""

from __future__ import annotations

import math

from circuitvlm.schedule._warmup import check_shares, with_warmup


def cosine(step: float, total: float, *, warmup: float, floor: float) -> float:
    """The factor on the peak rate (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).

    `warmup` is the share of `total` (0 to 1) in which the factor rises from 0 to 1; `floor` is the factor at the end.
    """
    check_shares(floor=floor)
    amplitude = 0.5 * (1 - floor)
    return with_warmup(
        step, total, warmup=warmup, shape=lambda share: floor + amplitude * (1 + math.cos(math.pi * share))
    )
