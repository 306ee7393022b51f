"""Derive the peak learning rate from `base_lr` and the batch size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

REFERENCE_BATCH_SIZE = 256
"""Samples per optimizer step for which `base_lr` is settings, as in the recipes of MAE and LaVIN."""


def apply_base_lr(optimizer: Mapping[str, Any], *, base_lr: float | None, global_batch_size: int) -> dict[str, Any]:
    """The optimizer's section, where `base_lr` is given with lr = base_lr x global_batch_size / 256.

    This is the linear scaling rule of Goyal et al. 2017 (arXiv 1706.02677).
    """
    if base_lr is None:
        return dict(optimizer)
    return {**optimizer, "lr": base_lr * global_batch_size / REFERENCE_BATCH_SIZE}


def faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """The fault of a run's config that states no learning rate, or two."""
    optimizer = plain.get("optimizer")
    if not isinstance(optimizer, Mapping) or not optimizer:
        return
    rates = {"base_lr": plain.get("base_lr"), "optimizer.lr": optimizer.get("lr")}
    settings = [f"{key}={rate}" for key, rate in rates.items() if rate is not None]
    if len(settings) != 1:
        rates_text = " and ".join(settings) + "; optimizer.lr=null removes one" if settings else "neither"
        yield f"base_lr, optimizer.lr: expected exactly one of the two, got {rates_text}"
