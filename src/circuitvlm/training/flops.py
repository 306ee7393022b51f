"""How much arithmetic does a token cost a net that is trained in part, and how much could the device do?

With N weights, a token costs 2 N operations forward, 2 N backward for the gradient of what goes in, and 2 N more for
the gradient of weights that are trained: 6 N where all are (Kaplan et al., arXiv 2001.08361, section 2.1). So frozen
weights cost 4 N where something in or before their component is trained, else 2 N. What checkpointing computes again is
not counted, as in the MFU of PaLM (arXiv 2204.02311, appendix B), and what attention itself computes is not either,
which PaLM's counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from circuitvlm.core.contract import Model

PEAKS: tuple[tuple[str, float, float], ...] = (
    ("H100 PCIe", 756e12, 51e12),
    ("H100 NVL", 835e12, 60e12),
    ("H100", 989e12, 67e12),
    ("H200", 989e12, 67e12),
    ("A100", 312e12, 19.5e12),
    ("L40S", 362e12, 91.6e12),
    ("L4", 121e12, 30.3e12),
    ("A10", 125e12, 31.2e12),
    ("V100", 125e12, 15.7e12),
    ("T4", 65e12, 8.1e12),
)
"""Name of a GPU, operations a second of its tensor cores in 16 bits without sparsity, and of plain float32: as NVIDIA's
data sheets have them. The first name that fits counts."""


ORIGINAL = "original_module."
"""In a weight's name: PEFT keeps what a trained copy stands in the place of, and runs the copy alone."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations for one token that goes through a component, forward and backward."""

    forward: float
    backward: float

    @property
    def both(self) -> float:
        return self.forward + self.backward


def costs(net: nn.Module, model: Model) -> dict[str, Cost]:
    """Each component's, of a plain net. A table of words that are looked up computes nothing."""
    made: dict[str, Cost] = {}
    behind_trained = False
    for component, prefixes in model.components.items():  # in the order in which an image goes through them
        parts = [net.get_submodule(prefix) for prefix in prefixes]
        looked_up = {id(m.weight) for part in parts for m in part.modules() if isinstance(m, nn.Embedding)}
        named = [pair for part in parts for pair in part.named_parameters() if id(pair[1]) not in looked_up]
        matrices = [p for name, p in named if p.ndim > 1 and ORIGINAL not in name]
        every, trained = sum(map(_count, matrices)), sum(_count(p) for p in matrices if p.requires_grad)
        # within a component the gradient goes through what is behind its first trained weight; all of it is counted
        through = behind_trained or any(p.requires_grad for part in parts for p in part.parameters())
        made[component] = Cost(2.0 * every, 2.0 * every * through + 2.0 * trained)
        behind_trained = through
    return made


def operations(each: Mapping[str, Cost], tokens: Mapping[str, float]) -> float:
    """What so many tokens through each component cost."""
    return sum(cost.both * tokens.get(component, 0.0) for component, cost in each.items())


def device_peak(device: torch.device, *, precision: str) -> float | None:
    """Operations a second that the device could do at most; None for one that the table does not know."""
    return named_peak(torch.cuda.get_device_name(device), precision=precision) if device.type == "cuda" else None


def named_peak(name: str, *, precision: str) -> float | None:
    """The same by a GPU's name, such as `NVIDIA H100 80GB HBM3`."""
    for known, half, full in PEAKS:
        if re.search(rf"\b{re.escape(known)}\b", name, re.IGNORECASE):
            return full if precision.startswith("32") else half
    return None


def _count(weight: Tensor) -> int:
    """Weights, not bytes: a 4-bit one is stored two to a byte, and of ZeRO-3's a rank holds a part."""
    return int(getattr(weight, "ds_numel", weight.numel())) * (2 if type(weight).__name__ == "Params4bit" else 1)
