"""Which trainable weights share a learning rate and a weight decay?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from circuitvlm.core.contract import Model


def groups(
    net: nn.Module, model: Model, *, lr: float, weight_decay: float, lr_scale: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Parameter groups for a torch optimizer: trainable only, rate by component, no decay on 1-D weights.

    Each group says by `matrix` whether it holds matrices within the net: no embeddings, head, convolutions or vectors.
    `lr_scale` maps components of the model's map to factors on `lr`; what it leaves out has factor 1.
    """
    unknown = set(lr_scale) - set(model.components)
    if unknown:
        raise ValueError(
            f"lr_scale: no component {', '.join(sorted(unknown))}; the model has {', '.join(model.components)}"
        )
    embeddings = {id(module.weight) for module in net.modules() if isinstance(module, nn.Embedding)}
    made: dict[str, dict[str, Any]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        component = component_of(name, model)
        axes = len(getattr(parameter, "ds_shape", parameter.shape))  # DeepSpeed's stage 3 leaves a flat part
        decays = axes > 1
        matrix = axes == 2 and component != "head" and id(parameter) not in embeddings
        group = component if matrix else f"{component}/{'other' if decays else 'no_decay'}"
        fresh = {
            "params": [],
            "lr": lr * lr_scale.get(component, 1.0),
            "weight_decay": weight_decay if decays else 0.0,
            "matrix": matrix,
            "name": group,
        }
        made.setdefault(group, fresh)["params"].append(parameter)
    if not made:
        raise ValueError("nothing is trainable: the adapter attached no weights")
    idle = set(lr_scale) - {component_of(name, model) for name, p in net.named_parameters() if p.requires_grad}
    if idle:
        raise ValueError(f"lr_scale: nothing is trained in {', '.join(sorted(idle))}")
    return list(made.values())


def component_of(name: str, model: Model) -> str:
    """The component that a parameter lies in, whatever wraps it; "other" for none."""
    plain = name.replace("weights.", "", 1).replace("base_model.model.", "", 1)
    for component, prefixes in model.components.items():
        if any(plain == prefix or plain.startswith(f"{prefix}.") for prefix in prefixes):
            return component
    return "other"
