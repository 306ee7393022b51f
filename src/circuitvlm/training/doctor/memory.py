"""How much memory does a run want under each strategy? Counted weights, measured states and activations, divided.

Who keeps what is the table of ZeRO (arXiv 1910.02054, section 5), for weights that are trained in the numbers that they
are stored in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from circuitvlm.core.contract import Model
from circuitvlm.training.doctor.text import Finding, Level
from circuitvlm.training.doctor.weights import stored

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of one copy of each: weights, gradients, the optimizer's states, what one micro-batch keeps for its
    backward pass, and the largest block, which sharded weights are put together for."""

    weights: int
    gradients: int
    states: int
    activations: int
    block: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes on a device, and in the memory of the machine for each process."""

    strategy: str
    device: float
    host: float = 0.0


def estimates(need: Need, *, ranks: int) -> list[Estimate]:
    """Each strategy on so many devices. What is not in it: the GPU's own context, fragments, and buffers of collectives
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


def fitting(made: Sequence[Estimate], *, room: int) -> Finding:
    """Which of the strategies fit on a device with so many bytes."""
    fit = [estimate.strategy for estimate in made if estimate.device <= room]
    size = f"a device of {room / 1e9:.0f} GB"
    if not fit:
        return Finding(MEMORY, Level.FAULT, f"no strategy fits on {size}; lower micro_batch, or quantize")
    if made[0].strategy in fit:
        return Finding(MEMORY, Level.GOOD, f"it fits on {size}")
    return Finding(MEMORY, Level.WARNING, f"it does not fit on {size} alone; what would: {', '.join(fit)}")


def largest_block(net: nn.Module, model: Model) -> int:
    """Bytes of the largest of the model's repeated blocks, in a plain net."""
    blocks = [block for path in model.blocks for block in net.get_submodule(path).children()]
    return max((sum(map(stored, block.parameters())) for block in blocks), default=0)


@dataclass
class Kept:
    """Bytes that a forward pass has put by for its backward pass."""

    bytes: int = 0
    seen: set[int] = field(default_factory=set)


@contextmanager
def kept_for_backward(net: nn.Module) -> Iterator[Kept]:
    """Count what autograd saves in the block, each storage once, the weights themselves left out.

    That is what stays between the passes. What lives for a moment in one of them comes on top.
    """
    own = {p.untyped_storage().data_ptr() for p in (*net.parameters(), *net.buffers())}
    kept = Kept()
    alive: list[Tensor] = []  # a freed storage's address would be given to another one

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.data_ptr() not in kept.seen:
            kept.seen.add(storage.data_ptr())
            kept.bytes += storage.nbytes()
            alive.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept
