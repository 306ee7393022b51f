"""Constant learning rate after a linear warm-up."""

from __future__ import annotations

from circuitvlm.schedule._warmup import with_warmup


def constant(step: float, total: float, *, warmup: float) -> float:
    """The factor on the peak rate; `warmup` is the share of `total` (0 to 1) in which it rises from 0 to 1."""
    return with_warmup(step, total, warmup=warmup, shape=lambda share: 1.0)
