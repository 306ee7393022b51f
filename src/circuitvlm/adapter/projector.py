"""Train only the projector, which maps images to soft tokens of a frozen LLM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from peft.utils import ModulesToSaveWrapper
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from circuitvlm.adapter._base.peft_folder import check_weights, make_modules_to_save_float32
from circuitvlm.core.contract import Dropout, Model
from circuitvlm.core.sharded import gather_trained_weights
from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.progress import rank

COMPONENT = "projector"
WEIGHTS, DESCRIPTION = "projector.safetensors", "projector.json"
_COPY = f"{ModulesToSaveWrapper.adapter_layer_names[0]}.default."
"""The part of a weight's name that the trained copy has and the original has not."""


class Projector:
    """Train a float32 copy of the model's projector; everything else is frozen, the original too.

    The folder holds the trained weights by their names in the model (projector.safetensors), and their shapes
    (projector.json).
    """

    trains_base: ClassVar[bool] = False

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """Put a trainable copy in place of the projector. Raises ValueError for a dropout profile."""
        if COMPONENT not in model.components:
            raise ValueError(
                f"adapter: expected a model with a {COMPONENT}, got one with {', '.join(model.components)}"
            )
        if dropout is not None and any(dropout.profile(8)):
            raise ValueError("dropout: a projector has no blocks for a dropout profile; set dropout=constant_none")
        net.requires_grad_(False)
        for path in model.components[COMPONENT]:
            parent, _, name = path.rpartition(".")
            wrapper = ModulesToSaveWrapper(net.get_submodule(path), "default")
            wrapper.set_adapter("default")
            net.get_submodule(parent).register_module(name, wrapper)
        make_modules_to_save_float32(net)
        return net

    def save(self, net: nn.Module, folder: Path) -> None:
        """Save the trained weights. All ranks call it; rank 0 writes."""
        weights = {name.replace(_COPY, ""): tensor.clone() for name, tensor in gather_trained_weights(net).items()}
        if rank() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
            description = {
                "component": COMPONENT,
                "shapes": {name: list(t.shape) for name, t in sorted(weights.items())},
            }
            write_atomic(folder / DESCRIPTION, json.dumps(description, indent=1))

    def load(self, net: nn.Module, folder: Path) -> None:
        """Load strictly. Raises ValueError with every missing, unexpected and misshapen weight."""
        tensors = _weights(folder)
        net_weights = {name.replace(_COPY, ""): p for name, p in net.named_parameters() if p.requires_grad}
        check_weights(tensors, net_weights, folder=folder, settings="LLM and model settings")
        for name, parameter in net_weights.items():
            parameter.data.copy_(tensors[name])


def _weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of a folder. Raises ValueError where they are missing or cannot be read."""
    path = folder / WEIGHTS
    if not path.is_file():
        file_names = ", ".join(sorted(p.name for p in folder.glob("*.safetensors"))) or "no *.safetensors"
        raise ValueError(f"{folder}: expected the file {WEIGHTS}, got {file_names}")
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: expected safetensors, got an unreadable file ({error}); copy it again") from error
    return weights
