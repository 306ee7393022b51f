"""Train two small experts at the input norm of each block, mixed by the modality of the sample (LaVIN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

from peft import get_peft_model
from torch import nn

from circuitvlm.adapter._base.depth import probabilities
from circuitvlm.adapter._base.peft_folder import PeftFolder, make_modules_to_save_float32
from circuitvlm.adapter._base.targets import as_regex, input_norms
from circuitvlm.adapter.mixture_of_modality.config import MixtureConfig
from circuitvlm.adapter.mixture_of_modality.layer import Mixture, MixtureLayer
from circuitvlm.adapter.mixture_of_modality.tuner import register
from circuitvlm.core.contract import Dropout, Model

register()  # so that plain PEFT can read the folder once this module is imported

VISION = "vision"
"""The component whose blocks process only image tokens."""
CLASS_TOKENS = ("class_embedding", "cls_token")
Router = Literal["table", "embedding", "none"]


class MixtureOfModality(PeftFolder):
    """The mixture-of-modality adapter (arXiv 2305.15023) at the input norms of the `components`' blocks.

    `rank` is the bottleneck's width, `groups` the blocks of each expert's block-diagonal matrix, `scale` the factor on
    the update, `temperature` the router's (see Mixture for the formula and the routers). All weights of
    the components in `train` are trained too, in float32. The saved folder is plain PEFT, readable once this module is
    imported. It cannot be merged into the base. Dropout acts in the bottleneck.
    """

    trains_base: ClassVar[bool] = False
    settings: ClassVar[str] = "rank, groups, router, components and train"

    def __init__(
        self,
        *,
        rank: int,
        groups: int,
        scale: float,
        temperature: float,
        router: Router,
        components: Sequence[str],
        train: Sequence[str],
    ) -> None:
        if rank < 1 or groups < 1 or rank % groups:
            raise ValueError(f"adapter.rank: expected a positive multiple of adapter.groups={groups}, got {rank}")
        if temperature <= 0:
            raise ValueError(f"adapter.temperature: expected a number above 0, got {temperature}")
        if router not in get_args(Router):
            raise ValueError(f"adapter.router: expected one of {', '.join(get_args(Router))}, got {router!r}")
        self.rank, self.groups, self.scale, self.temperature = rank, groups, scale, temperature
        self.router, self.components, self.train = router, components, train

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """Return the net inside a PeftModel, with trainable float32 adapters whose updates are zero at the start."""
        norms = input_norms(net, model, self.components)
        config = MixtureConfig(
            target_modules=as_regex([name for names in norms.values() for name in names]),
            seeing_modules=as_regex(norms.get(VISION, [])),
            modules_to_save=self._modules_to_save(net, model),
            r=self.rank,
            groups=self.groups,
            scale=self.scale,
            temperature=self.temperature,
            router=self.router,
            class_token=any(name.rsplit(".", 1)[-1] in CLASS_TOKENS for name, _ in net.named_parameters()),
            task_type="CAUSAL_LM" if hasattr(net, "prepare_inputs_for_generation") else None,
        )
        peft_model: nn.Module = get_peft_model(net, config)
        make_modules_to_save_float32(peft_model)
        if dropout is not None:
            set_dropout(peft_model, dropout)
        return peft_model

    def _modules_to_save(self, net: nn.Module, model: Model) -> list[str] | None:
        """The full names of the modules that are trained whole."""
        unknown = set(self.train) - set(model.components)
        if unknown:
            raise ValueError(
                f"adapter.train: expected components of the model ({', '.join(model.components)}), got "
                f"{', '.join(sorted(unknown))}"
            )
        overlap = set(self.train) & set(self.components)
        if overlap:
            raise ValueError(f"adapter.train: expected none of adapter.components, got {', '.join(sorted(overlap))}")
        return [prefix for component in self.train for prefix in model.components[component]] or None


def set_dropout(net: nn.Module, dropout: Dropout) -> None:
    """Set the dropout of each adapted norm by its depth; each stack of blocks counts from its own start."""
    layers = {name: module for name, module in net.named_modules() if isinstance(module, MixtureLayer)}
    for name, p in probabilities(layers, dropout).items():
        for mixture in layers[name].mixture_adapters.values():
            assert isinstance(mixture, Mixture), "a wrapped norm holds adapters"
            mixture.dropout.p = p
