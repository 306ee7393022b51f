"""What may change? The projector alone: what makes soft tokens of images, in front of a frozen LLM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from peft.utils import ModulesToSaveWrapper
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from circuitvlm.adapter._base.peft_folder import train_beside
from circuitvlm.core.contract import Dropout, Model
from circuitvlm.core.sharded import trained
from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.progress import rank

COMPONENT = "projector"
WEIGHTS, ABOUT = "projector.safetensors", "projector.json"
_COPY = f"{ModulesToSaveWrapper.adapter_layer_names[0]}.default."
"""What stands in the name of a weight of the copy, and not in that of the original."""


class Projector:
    """Trains a copy of the model's projector, whole and in float32; everything else is frozen, the original too.

    Its folder holds the trained weights by the names that the model has them under (projector.safetensors), and says
    which they are and of what shape (projector.json).
    """

    trains_base: ClassVar[bool] = False

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """The same net, with a trainable copy in the projector's place. A dropout profile is refused."""
        if COMPONENT not in model.components:
            raise ValueError(f"adapter: no {COMPONENT} in this model; it has {', '.join(model.components)}")
        if dropout is not None and any(dropout.profile(8)):
            raise ValueError("dropout: a projector has no blocks for a profile to act on; set dropout=constant_none")
        net.requires_grad_(False)
        for path in model.components[COMPONENT]:
            above, _, name = path.rpartition(".")
            wrapper = ModulesToSaveWrapper(net.get_submodule(path), "default")
            wrapper.set_adapter("default")
            net.get_submodule(above).register_module(name, wrapper)
        train_beside(net)
        return net

    def save(self, net: nn.Module, folder: Path) -> None:
        """All ranks call it, to give their parts; rank 0 writes."""
        weights = {name.replace(_COPY, ""): tensor.clone() for name, tensor in trained(net).items()}
        if rank() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
            about = {"component": COMPONENT, "shapes": {name: list(t.shape) for name, t in sorted(weights.items())}}
            write_atomic(folder / ABOUT, json.dumps(about, indent=1))

    def load(self, net: nn.Module, folder: Path) -> None:
        """Strictly: raises ValueError with every weight that the folder lacks or that the net has no place for."""
        found = _weights(folder)
        here = {name.replace(_COPY, ""): p for name, p in net.named_parameters() if p.requires_grad}
        lost, odd = sorted(set(here) - set(found)), sorted(set(found) - set(here))
        cut = [f"{n} {list(t.shape)}, here {list(here[n].shape)}" for n, t in found.items() if _is_cut(t, here.get(n))]
        if lost or odd or cut:
            raise ValueError(
                f"{folder}: not this projector; missing {lost[:5]} ({len(lost)}), unexpected {odd[:5]} ({len(odd)}), "
                f"of another shape {cut[:5]} ({len(cut)}). Are the model's settings and LLM those it was trained with?"
            )
        for name, parameter in here.items():
            parameter.data.copy_(found[name])


def _weights(folder: Path) -> dict[str, Tensor]:
    """What the folder holds. Raises ValueError where that is no projector, or not whole."""
    path = folder / WEIGHTS
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in folder.glob("*.safetensors"))) or "no *.safetensors"
        raise ValueError(f"{folder}: no projector, which would be {WEIGHTS}; there is {there}")
    try:
        found: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); is the file whole?") from error
    return found


def _is_cut(tensor: Tensor, place: Tensor | None) -> bool:
    return place is not None and tensor.shape != place.shape
