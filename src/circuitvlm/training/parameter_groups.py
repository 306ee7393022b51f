"""Group the trainable weights by learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from circuitvlm.core.contract import Model


def parameter_groups(
    net: nn.Module, model: Model, *, lr: float, weight_decay: float, lr_multipliers: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Parameter groups for a torch optimizer: trainable weights only, a rate by component, no decay on 1-D weights.

    A group's `matrix` is true where it holds matrices within the net: no embeddings, head, convolutions or vectors.
    `lr_multipliers` maps components to factors on `lr`; a component without one has factor 1. Raises ValueError where
    nothing is trainable, or a multiplier has no trainable weight.
    """
    embeddings = {id(module.weight) for module in net.modules() if isinstance(module, nn.Embedding)}
    groups: dict[str, dict[str, Any]] = {}
    unused_multipliers = set(lr_multipliers)
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        component = component_of(name, model)
        unused_multipliers.discard(component)
        axes = len(getattr(parameter, "ds_shape", parameter.shape))  # DeepSpeed's stage 3 leaves a flat part
        decays = axes > 1
        matrix = axes == 2 and component != "head" and id(parameter) not in embeddings
        key = component if matrix else f"{component}/{'other' if decays else 'no_decay'}"
        new_group = {
            "params": [],
            "lr": lr * lr_multipliers.get(component, 1.0),
            "weight_decay": weight_decay if decays else 0.0,
            "matrix": matrix,
            "name": key,
        }
        groups.setdefault(key, new_group)["params"].append(parameter)
    if not groups:
        raise ValueError(f"adapter: expected trainable weights, got none in {type(net).__name__}")
    if unused_multipliers:
        raise ValueError(
            f"lr_multipliers: expected components with trainable weights, got {', '.join(sorted(unused_multipliers))}; "
            f"the model has {', '.join(model.components)}"
        )
    return list(groups.values())


def component_of(name: str, model: Model) -> str:
    """The component of a parameter by its name, with or without a wrapper's prefix; "other" for none."""
    plain_name = name.replace("weights.", "", 1).replace("base_model.model.", "", 1)
    for component, prefixes in model.components.items():
        if any(plain_name == prefix or plain_name.startswith(f"{prefix}.") for prefix in prefixes):
            return component
    return "other"
