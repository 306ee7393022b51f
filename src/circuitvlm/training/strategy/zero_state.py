"""How does an optimizer's state that ZeRO has cut into flat parts become what torch saves for whole weights, and back?

DeepSpeed's own checkpoints are a folder for one number of processes; these are one file for any.
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
"""The trained weights as the optimizer was given them, group by group."""


def whole_state(zero: Any, trained: Groups) -> dict[str, Any]:
    """`torch.optim.Optimizer.state_dict()` of `zero.optimizer`, had it the weights themselves, on rank 0. All ranks
    call it; the others give no state.
    """
    _link(zero, trained)
    groups: list[dict[str, Any]] = []
    state: dict[int, dict[str, Any]] = {}
    count = 0
    for group, parameters, part in zip(zero.optimizer.param_groups, trained, _parts(zero), strict=True):
        flat = zero.optimizer.state[part]
        for offset, parameter in enumerate(parameters):
            whole = {
                key: value.clone() if _single(value) else safe_get_full_optimizer_state(parameter, key).cpu()
                for key, value in flat.items()
            }
            if torch.distributed.get_rank() == 0:  # on all of a node they would need as many times its memory
                state[count + offset] = whole
        rest = {key: value for key, value in group.items() if key != "params"}
        groups.append({**rest, "params": list(range(count, count + len(parameters)))})
        count += len(parameters)
    return {"state": state, "param_groups": groups}


def load_state(zero: Any, trained: Groups, saved: Mapping[str, Any]) -> None:
    """Give back what `whole_state` gave, on as many processes as there are now. All ranks call it."""
    told_groups = saved["param_groups"]
    for group, parameters, part, told in zip(
        zero.optimizer.param_groups, trained, _parts(zero), told_groups, strict=True
    ):
        if len(parameters) != len(told["params"]):
            raise ValueError(f"the checkpoint's optimizer moves {len(told['params'])} weights, not {len(parameters)}")
        group.update({key: value for key, value in told.items() if key != "params"})
        like = saved["state"].get(told["params"][0], {})
        zero.optimizer.state[part] = {
            key: value.clone() if _single(value) else torch.zeros_like(part) for key, value in like.items()
        }
    _link(zero, trained)
    for parameters, told in zip(trained, told_groups, strict=True):
        for parameter, number in zip(parameters, told["params"], strict=True):
            for key, value in saved["state"].get(number, {}).items():
                if not _single(value):
                    _set(parameter, key, value)


def _parts(zero: Any) -> Sequence[Tensor]:
    """This process's flat part of each group."""
    third = "fp32_partitioned_groups_flat"  # as stage 3 calls them
    parts: Sequence[Tensor] = getattr(zero, third, None) or zero.single_partition_of_fp32_groups
    return parts


def _link(zero: Any, trained: Groups) -> None:
    """Stages 1 and 2 have to be told where in its part each weight's state lies."""
    for parameters, part in zip(trained, _parts(zero), strict=True):
        if not hasattr(parameters[0], "ds_id"):
            lazy_init_hp_params_optimizer_state(parameters, part, zero.optimizer.state)


def _set(parameter: Any, key: str, value: Tensor) -> None:
    """DeepSpeed's own function forgets that stage 3 pads the last part."""
    if not hasattr(parameter, "ds_id"):
        safe_set_full_optimizer_state(parameter, value, key)
        return
    part = parameter.ds_tensor.numel()
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    padded = pad(value.flatten(), (0, part * world - value.numel()))
    safe_set_local_optimizer_state(parameter, padded.narrow(0, rank * part, part), key)


def _single(value: Any) -> bool:
    """True for what holds for all weights of a group, such as Adam's count of steps."""
    return not isinstance(value, Tensor) or value.dim() == 0
