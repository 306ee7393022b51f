"""Gather weights that a strategy has split over ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from circuitvlm.runtime.progress import rank


def gather_trained_weights(net: nn.Module) -> dict[str, Tensor]:
    """Return name -> whole trained weight on the CPU, on rank 0; an empty dict on the other ranks.

    Sharded weights are gathered, so every rank has to call it. Only rank 0 keeps them: on all ranks of a node they
    would need many times the memory.
    """
    return _on_rank_0((name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad)


def non_finite_names(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors with a NaN or an infinity in this rank's part of them."""
    parts = {name: _local_part(tensor.detach()) for name, tensor in tensors.items()}
    norm = torch.nn.utils.get_total_norm(parts.values())  # one number to wait for, where all are finite
    if torch.isfinite(norm):
        return []
    return [name for name, part in parts.items() if not torch.isfinite(part).all()]


def _local_part(tensor: Tensor) -> Tensor:
    part: Tensor = getattr(tensor, "ds_tensor", tensor)  # of DeepSpeed's stage 3
    return part.to_local() if isinstance(part, DTensor) else part


def gather_optimizer_state(state: Mapping[Any, Mapping[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Gather the state of an optimizer, weight by weight, on rank 0."""
    return {weight: _on_rank_0(parts.items()) for weight, parts in state.items()}


def _on_rank_0(parts: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    gathered_parts = {}
    for name, part in parts:
        gathered = _gather(part) if isinstance(part, Tensor) else part  # on all ranks, or rank 0 would wait
        if rank() == 0:
            gathered_parts[name] = gathered
    return gathered_parts


def _gather(parameter: Tensor) -> Tensor:
    if hasattr(parameter, "ds_id"):  # DeepSpeed's stage 3 has split it
        from deepspeed.runtime.zero import GatheredParameters  # an extra; it is installed where it has split a weight

        with GatheredParameters([parameter]):
            return parameter.detach().clone().cpu()
    tensor = parameter.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).contiguous().cpu()
