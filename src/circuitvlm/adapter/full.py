"""Train all weights of the named components."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from safetensors.torch import load_file, save_file
from torch import nn

from circuitvlm.adapter._base.peft_folder import check_weights
from circuitvlm.core.contract import Dropout, Model
from circuitvlm.core.sharded import gather_trained_weights
from circuitvlm.runtime.progress import rank

FILE = "trained.safetensors"


class Full:
    """Full fine-tuning of `components` (of the model's map; "all" for everything)."""

    trains_base: ClassVar[bool] = True
    exempt: ClassVar[dict[str, str]] = {
        "small": "full fine-tuning trains and saves the base's own weights",
        "frozen": "where components is all, nothing is frozen",
    }

    def __init__(self, *, components: Sequence[str] | str) -> None:
        self.components = components

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """Make the weights of the components trainable. Raises ValueError for a quantized base or a dropout profile."""
        names = list(model.components) if self.components == "all" else list(self.components)
        unknown = set(names) - set(model.components)
        if unknown:
            raise ValueError(
                f"adapter.components: expected components of the model ({', '.join(model.components)}), got "
                f"{', '.join(sorted(unknown))}"
            )
        if dropout is not None and any(dropout.profile(8)):
            raise ValueError(
                f"dropout: full fine-tuning has no adapter layers for a profile, got {dropout.profile(8)}; "
                "set dropout=constant_none"
            )
        if getattr(net, "is_quantized", False):
            raise ValueError("quantization: full fine-tuning cannot train quantized weights; set quantization=none")
        parameters = dict(net.named_parameters())
        for component in names:
            component_weights = [
                n for n in parameters if any(n.startswith(f"{prefix}.") for prefix in model.components[component])
            ]
            if not component_weights and self.components != "all":
                raise ValueError(
                    f"adapter.components: {component} has no weights of its own; they may be tied to another component"
                )
            for name in component_weights:
                parameters[name].requires_grad_(True)
        return net

    def save(self, net: nn.Module, folder: Path) -> None:
        """Save the trained weights, each once: tied ones under their first name. All ranks call it; rank 0 writes."""
        weights = gather_trained_weights(net)
        if rank() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(weights, folder / FILE, metadata={"format": "pt"})

    def load(self, net: nn.Module, folder: Path) -> None:
        tensors = load_file(folder / FILE)
        expected = {name: p for name, p in net.named_parameters() if p.requires_grad}
        check_weights(tensors, expected, folder=folder, settings="adapter.components")
        net.load_state_dict(tensors, strict=False)
