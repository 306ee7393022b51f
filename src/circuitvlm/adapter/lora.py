"""Train low-rank updates of frozen linear weights (LoRA, arXiv 2106.09685), with PEFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn

from circuitvlm.adapter._base.depth import probabilities
from circuitvlm.adapter._base.peft_folder import PeftFolder
from circuitvlm.adapter._base.targets import as_regex, linear_names
from circuitvlm.core.contract import Dropout, Model


class Lora(PeftFolder):
    """LoRA of `rank` and scale `alpha` / `rank` on the linears that `targets` names: component -> last names, or "all".

    On a base quantized to nf4 this is QLoRA (arXiv 2305.14314). The saved folder is plain PEFT.
    """

    trains_base: ClassVar[bool] = False
    settings: ClassVar[str] = "rank and targets"

    def __init__(self, *, rank: int, alpha: float, targets: Mapping[str, Sequence[str] | str], rslora: bool) -> None:
        self.rank = rank
        self.alpha = alpha
        self.targets = targets
        self.rslora = rslora

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """Return the net inside a PeftModel, with trainable float32 updates that are zero at the start."""
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            target_modules=as_regex(linear_names(net, model, self.targets)),
            use_rslora=self.rslora,
            task_type="CAUSAL_LM",
        )
        peft_model: nn.Module = get_peft_model(net, config)
        if dropout is not None:
            set_dropout(peft_model, dropout)
        return peft_model


def set_dropout(net: nn.Module, dropout: Dropout) -> None:
    """Set the dropout of each LoRA layer by its depth; each stack of blocks counts from its own start.

    LoraConfig has one probability only, so this is done after injection, and again after each load.
    """
    layers = {name: module for name, module in net.named_modules() if isinstance(module, LoraLayer)}
    for name, p in probabilities(layers, dropout).items():
        for key in layers[name].lora_dropout:
            layers[name].lora_dropout[key] = nn.Dropout(p) if p else nn.Identity()
