"""How much memory has been used at most?"""

from __future__ import annotations

import resource
import sys

import torch


def peak(device: torch.device) -> int:
    """Bytes: of a GPU what tensors have held at once since the last `forget_peak`; else what of this process has lain
    in memory at once since it began (the kernel keeps that figure, and nothing resets it)."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak(device: torch.device) -> None:
    """Begin a GPU's peak anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
