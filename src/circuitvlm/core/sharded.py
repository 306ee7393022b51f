"""Gather weights that a strategy has split over ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from circuitvlm.runtime.progress import rank


def trained(net: nn.Module) -> dict[str, Tensor]:
    """Name -> whole trained weight on the CPU, on rank 0: on all of a node they would need as many times its memory.

    Gathers sharded ones: every rank has to call it. The others get nothing.
    """
    return _on_rank_0((name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad)


def whole_parts(state: Mapping[Any, Mapping[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The same for an optimizer's state, weight by weight."""
    return {weight: _on_rank_0(parts.items()) for weight, parts in state.items()}


def _on_rank_0(parts: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    kept = {}
    for name, part in parts:
        whole = _whole(part) if isinstance(part, Tensor) else part  # all ranks, or the first would wait
        if rank() == 0:
            kept[name] = whole
    return kept


def _whole(parameter: Tensor) -> Tensor:
    if hasattr(parameter, "ds_id"):  # DeepSpeed's stage 3 has split it
        from deepspeed.runtime.zero import GatheredParameters  # an extra, which is there if it has split something

        with GatheredParameters([parameter]):
            return parameter.detach().clone().cpu()
    tensor = parameter.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).contiguous().cpu()
