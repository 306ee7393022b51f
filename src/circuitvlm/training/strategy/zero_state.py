"""Convert an optimizer's state between the flat parts of ZeRO and what torch saves for whole weights.

DeepSpeed's own checkpoints are a folder for one number of processes; these are one file for any number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from deepspeed.utils import (
    lazy_init_hp_params_optimizer_state,
    safe_get_full_optimizer_state,
    safe_set_full_optimizer_state,
    safe_set_local_optimizer_state,
)
from torch import Tensor, nn
from torch.nn.functional import pad

Groups = Sequence[Sequence[nn.Parameter]]
"""The trained weights in the groups of the optimizer."""


def whole_state(zero: Any, trained_groups: Groups) -> dict[str, Any]:
    """`torch.optim.Optimizer.state_dict()` of `zero.optimizer`, as if it had the whole weights, on rank 0.

    All ranks call it; the others return groups and no state.
    """
    _link(zero, trained_groups)
    groups: list[dict[str, Any]] = []
    state: dict[int, dict[str, Any]] = {}
    count = 0
    for group, parameters, flat in zip(zero.optimizer.param_groups, trained_groups, _flat_parts(zero), strict=True):
        for number, parameter in enumerate(parameters, start=count):
            whole = {
                key: value.clone() if _is_shared(value) else safe_get_full_optimizer_state(parameter, key).cpu()
                for key, value in zero.optimizer.state[flat].items()
            }
            if torch.distributed.get_rank() == 0:  # on all ranks of a node it would need as many times its memory
                state[number] = whole
        settings = {key: value for key, value in group.items() if key != "params"}
        groups.append({**settings, "params": list(range(count, count + len(parameters)))})
        count += len(parameters)
    return {"state": state, "param_groups": groups}


def load_state(zero: Any, trained_groups: Groups, saved_state: Mapping[str, Any]) -> None:
    """Load a result of `whole_state` on any number of processes. All ranks call it.

    Raises ValueError where the groups have other numbers of weights.
    """
    saved_groups = saved_state["param_groups"]
    for group, flat, saved_group in zip(zero.optimizer.param_groups, _flat_parts(zero), saved_groups, strict=True):
        numbers = saved_group["params"]
        group.update({key: value for key, value in saved_group.items() if key != "params"})
        zero.optimizer.state[flat] = {
            key: value.clone() if _is_shared(value) else torch.zeros_like(flat)
            for key, value in saved_state["state"].get(numbers[0], {}).items()
        }
    _link(zero, trained_groups)
    for parameters, saved_group in zip(trained_groups, saved_groups, strict=True):
        for parameter, number in zip(parameters, saved_group["params"], strict=True):
            for key, value in saved_state["state"].get(number, {}).items():
                if not _is_shared(value):
                    _set_state(parameter, key, value)


def _flat_parts(zero: Any) -> Sequence[Tensor]:
    """This process's flat part of each group. Stage 3 has an attribute of its own for them."""
    parts: Sequence[Tensor] = (
        getattr(zero, "fp32_partitioned_groups_flat", None) or zero.single_partition_of_fp32_groups
    )
    return parts


def _link(zero: Any, trained_groups: Groups) -> None:
    """Give each weight the place of its state in the flat part, as stages 1 and 2 need it."""
    for parameters, flat in zip(trained_groups, _flat_parts(zero), strict=True):
        if not hasattr(parameters[0], "ds_id"):
            lazy_init_hp_params_optimizer_state(parameters, flat, zero.optimizer.state)


def _set_state(parameter: Any, key: str, value: Tensor) -> None:
    """Set a weight's whole state. DeepSpeed's own function ignores the padding of the last part in stage 3."""
    if not hasattr(parameter, "ds_id"):
        safe_set_full_optimizer_state(parameter, value, key)
        return
    size = parameter.ds_tensor.numel()
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    padding = (0, size * world - value.numel())
    part = pad(value.flatten(), padding).narrow(0, rank * size, size)
    safe_set_local_optimizer_state(parameter, part, key)


def _is_shared(value: Any) -> bool:
    """True for a value that all weights of a group share, such as Adam's step."""
    return not isinstance(value, Tensor) or value.dim() == 0
