"""Count the operations of a partly trained net per token, and look up the peak of a GPU.

With N weights, a token costs 2 N operations forward, 2 N backward for the gradient of the inputs, and 2 N more for the
gradient of the weights that are trained: 6 N where all are (Kaplan et al., arXiv 2001.08361, section 2.1). So frozen
weights cost 4 N where something in or before their component is trained, else 2 N. The recomputation of gradient
checkpointing is not counted, as in the MFU of PaLM (arXiv 2204.02311, appendix B). The operations of attention itself
are not counted either, unlike in PaLM's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from circuitvlm.core.contract import Model

DEVICE_PEAKS: tuple[tuple[str, float, float], ...] = (
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
"""Name of a GPU, operations a second of its tensor cores in 16 bits without sparsity, and in plain float32, from
NVIDIA's data sheets. The first matching name counts."""

ORIGINAL = "original_module."
"""In a weight's name: PEFT keeps the original of a module that is trained as a copy, and runs the copy only."""


def component_costs(net: nn.Module, model: Model) -> dict[str, float]:
    """Component of a plain net -> its operations for one token, forward and backward. An embedding computes nothing."""
    costs: dict[str, float] = {}
    has_gradient = False
    for component, prefixes in model.components.items():  # in the order in which an image goes through them
        modules = [net.get_submodule(prefix) for prefix in prefixes]
        tables = {id(m.weight) for module in modules for m in module.modules() if isinstance(m, nn.Embedding)}
        weights = [pair for module in modules for pair in module.named_parameters() if id(pair[1]) not in tables]
        matrices = [p for name, p in weights if p.ndim > 1 and ORIGINAL not in name]
        count = sum(map(weight_count, matrices))
        trained_count = sum(weight_count(p) for p in matrices if p.requires_grad)
        # within a component the gradient passes what follows its first trained weight; all of it is counted
        has_gradient = has_gradient or any(p.requires_grad for module in modules for p in module.parameters())
        costs[component] = 2.0 * (count + count * has_gradient + trained_count)
    return costs


def total_operations(costs: Mapping[str, float], tokens: Mapping[str, float]) -> float:
    """Operations for a number of tokens through each component."""
    return sum(cost * tokens.get(component, 0.0) for component, cost in costs.items())


def device_peak(device: torch.device, *, precision: str) -> float | None:
    """The largest number of operations a second of a device; None for a CPU or an unknown GPU."""
    return peak_by_name(torch.cuda.get_device_name(device), precision=precision) if device.type == "cuda" else None


def peak_by_name(name: str, *, precision: str) -> float | None:
    """The same by a GPU's name, such as `NVIDIA H100 80GB HBM3`."""
    for gpu, half_peak, full_peak in DEVICE_PEAKS:
        if re.search(rf"\b{re.escape(gpu)}\b", name, re.IGNORECASE):
            return full_peak if precision.startswith("32") else half_peak
    return None


def weight_count(weight: Tensor) -> int:
    """Numbers in a whole weight: a 4-bit one is stored two to a byte, and a rank of ZeRO-3 holds a part."""
    return int(getattr(weight, "ds_numel", weight.numel())) * (2 if type(weight).__name__ == "Params4bit" else 1)
