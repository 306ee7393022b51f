"""What may change? Every weight of the named components."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from safetensors.torch import load_file, save_file
from torch import nn

from circuitvlm.core.contract import Dropout, Model
from circuitvlm.core.sharded import trained
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
        """The same net, with the components' weights trainable. A quantized base and a dropout profile are refused."""
        names = list(model.components) if self.components == "all" else list(self.components)
        unknown = set(names) - set(model.components)
        if unknown:
            raise ValueError(
                f"adapter.components: no {', '.join(sorted(unknown))}; the model has {', '.join(model.components)}"
            )
        if dropout is not None and any(dropout.profile(8)):
            raise ValueError(
                "dropout: full fine-tuning has no adapter for a dropout profile to act on; set dropout=constant_none"
            )
        if getattr(net, "is_quantized", False):
            raise ValueError("quantization: full fine-tuning needs the weights themselves; set quantization=none")
        there = dict(net.named_parameters())
        for component in names:
            inside = [n for n in there if any(n.startswith(f"{prefix}.") for prefix in model.components[component])]
            if not inside and self.components != "all":
                raise ValueError(
                    f"adapter.components: {component} has no weights of its own; are they tied to another's?"
                )
            for name in inside:
                there[name].requires_grad_(True)
        return net

    def save(self, net: nn.Module, folder: Path) -> None:
        """The trained weights, each once: tied ones are the same tensor under the name that comes first. All ranks call
        it, to give their parts; rank 0 writes."""
        weights = trained(net)
        if rank() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(weights, folder / FILE, metadata={"format": "pt"})

    def load(self, net: nn.Module, folder: Path) -> None:
        tensors = load_file(folder / FILE)
        wanted = {name for name, p in net.named_parameters() if p.requires_grad}
        if wanted != set(tensors):
            odd = sorted(wanted ^ set(tensors))
            raise ValueError(
                f"{folder / FILE}: not these components' weights; {len(odd)} names differ, such as {odd[:3]}"
            )
        net.load_state_dict(tensors, strict=False)
