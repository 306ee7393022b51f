"""Exchange values between the ranks of a run; a single process is rank 0 of 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed


def rank_and_world() -> tuple[int, int]:
    """This process's rank, and the number of ranks."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def gather(value: Any) -> list[Any]:
    """The value of every rank, by rank. All ranks call it; values are pickled."""
    world = rank_and_world()[1]
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    distributed.all_gather_object(values, value)
    return values


def sum_over_ranks(*values: float) -> list[float]:
    """The sum of each value over all ranks, in float64. All ranks call it."""
    if rank_and_world()[1] == 1:
        return list(values)
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    totals = torch.tensor(values, device=device, dtype=torch.float64)
    distributed.all_reduce(totals)
    return totals.tolist()
