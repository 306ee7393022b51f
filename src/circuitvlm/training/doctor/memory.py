"""Estimate a run's memory under each strategy from counted weights, and measured states and activations.

What each strategy holds is the table of ZeRO (arXiv 1910.02054, section 5), for weights that are trained in the format
in which they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from circuitvlm.core.contract import Model
from circuitvlm.training.doctor.text import Finding, Level
from circuitvlm.training.doctor.weights import stored_bytes

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of one copy of each: weights, gradients, the optimizer's states, the activations that one micro-batch keeps
    for its backward pass, and the largest block, which is gathered whole where weights are sharded."""

    weights: int
    gradients: int
    states: int
    activations: int
    block: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes on a device, and in the machine's memory for each process."""

    strategy: str
    device: float
    host: float = 0.0


def estimates(need: Need, *, ranks: int) -> list[Estimate]:
    """Each strategy on `ranks` devices. Not included: the GPU's own context, fragmentation, and buffers of collectives
    beyond DDP's copy of the gradients."""
    w, g, s, a, b = need.weights, need.gradients, need.states, need.activations, need.block
    n = ranks
    return [
        Estimate("one device", w + g + s + a),
        Estimate(f"ddp x {n}", w + 2 * g + s + a),  # its buckets are a second copy of the gradients
        Estimate(f"zero1 x {n}", w + g + s / n + a),
        Estimate(f"zero2 x {n}", w + (g + s) / n + a),
        Estimate(f"fsdp2, zero3 x {n}", (w + g + s) / n + b + a),
        Estimate(f"zero2 offload x {n}", w + g / n + a, host=(g + s) / n),
        Estimate(f"zero3 offload x {n}", b + a, host=(w + g + s) / n),
    ]


def check_memory(memory_estimates: Sequence[Estimate], *, device_bytes: int) -> Finding:
    """Which of the strategies fit on a device."""
    strategies = [estimate.strategy for estimate in memory_estimates if estimate.device <= device_bytes]
    device = f"a device of {device_bytes / 1e9:.0f} GB"
    if not strategies:
        return Finding(MEMORY, Level.FAULT, f"no strategy fits on {device}; lower micro_batch_size, or quantize")
    if memory_estimates[0].strategy in strategies:
        return Finding(MEMORY, Level.GOOD, f"it fits on {device}")
    return Finding(MEMORY, Level.WARNING, f"it does not fit on {device} alone; these would: {', '.join(strategies)}")


def largest_block(net: nn.Module, model: Model) -> int:
    """Bytes of the largest of the model's repeated blocks, in a plain net."""
    blocks = [block for path in model.blocks for block in net.get_submodule(path).children()]
    return max((sum(map(stored_bytes, block.parameters())) for block in blocks), default=0)


@dataclass
class SavedTensors:
    """Bytes that a forward pass saves for its backward pass, and the addresses of their storages."""

    bytes: int = 0
    addresses: set[int] = field(default_factory=set)


@contextmanager
def count_saved_tensors(net: nn.Module) -> Iterator[SavedTensors]:
    """Count what autograd saves in the block, each storage once, without the weights themselves.

    This memory lasts from the forward to the backward pass. Temporary memory within a pass comes on top.
    """
    weight_addresses = {p.untyped_storage().data_ptr() for p in (*net.parameters(), *net.buffers())}
    saved_tensors = SavedTensors()
    references: list[Tensor] = []  # so that a freed storage's address is not used again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weight_addresses and storage.data_ptr() not in saved_tensors.addresses:
            saved_tensors.addresses.add(storage.data_ptr())
            saved_tensors.bytes += storage.nbytes()
            references.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield saved_tensors
