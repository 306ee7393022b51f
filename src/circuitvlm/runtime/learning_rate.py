"""At which peak rate does the optimizer begin? At the stated one, or at one that grows with the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

REFERENCE = 256
"""The samples of a step for which `blr` is stated, as in MAE's and LaVIN's recipes."""


def scaled(optimizer: Mapping[str, Any], *, blr: float | None, global_batch: int) -> dict[str, Any]:
    """The optimizer's section with the rate that `blr` gives, if there is one: blr x global_batch / 256.

    The linear rule of Goyal et al. 2017 (arXiv 1706.02677).
    """
    return dict(optimizer) if blr is None else {**optimizer, "lr": blr * global_batch / REFERENCE}


def faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Why a run's config states no rate, or two."""
    optimizer, blr = plain.get("optimizer"), plain.get("blr")
    if not isinstance(optimizer, Mapping) or not optimizer:
        return
    lr = optimizer.get("lr")
    if blr is None and lr is None:
        yield "blr, optimizer.lr: wanted exactly one of the two, came neither"
    if blr is not None and lr is not None:
        yield f"blr, optimizer.lr: wanted exactly one of the two, came {blr} and {lr}; optimizer.lr=null takes one away"
