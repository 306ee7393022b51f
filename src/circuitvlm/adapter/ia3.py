"""Train one factor per feature of frozen linear layers (IA3, arXiv 2205.05638), with PEFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from peft import IA3Config, get_peft_model
from torch import nn

from circuitvlm.adapter._base.peft_folder import PeftFolder
from circuitvlm.adapter._base.targets import as_regex, linear_names
from circuitvlm.core.contract import Dropout, Model


class IA3(PeftFolder):
    """IA3 on the linears that `outputs` and `inputs` name (component -> last names, or "all").

    The factors act on the outputs of the first and the inputs of the second. The saved folder is plain PEFT.
    """

    trains_base: ClassVar[bool] = False
    settings: ClassVar[str] = "outputs and inputs"

    def __init__(
        self, *, outputs: Mapping[str, Sequence[str] | str], inputs: Mapping[str, Sequence[str] | str]
    ) -> None:
        self.outputs = outputs
        self.inputs = inputs

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """Return the net inside a PeftModel, with trainable factors of 1. Raises ValueError for a dropout profile."""
        if dropout is not None and any(dropout.profile(8)):
            raise ValueError(
                f"dropout: IA3 has no bottleneck for a profile, got {dropout.profile(8)}; set dropout=constant_none"
            )
        inputs = linear_names(net, model, self.inputs)
        config = IA3Config(
            target_modules=as_regex([*linear_names(net, model, self.outputs), *inputs]),
            feedforward_modules=as_regex(inputs),
            task_type="CAUSAL_LM" if hasattr(net, "prepare_inputs_for_generation") else None,
        )
        peft_model: nn.Module = get_peft_model(net, config)
        return peft_model
