"""What may change? Two small experts at each block's input norm, mixed by whether the sample has an image (LaVIN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

from peft import get_peft_model
from torch import nn

from circuitvlm.adapter._base.depth import probabilities
from circuitvlm.adapter._base.peft_folder import PeftFolder, train_beside
from circuitvlm.adapter._base.targets import as_regex, input_norms
from circuitvlm.adapter.mixture_of_modality.config import MixtureConfig
from circuitvlm.adapter.mixture_of_modality.layer import Mixture, MixtureLayer
from circuitvlm.adapter.mixture_of_modality.tuner import register
from circuitvlm.core.contract import Dropout, Model

register()  # importing this module lets plain PEFT read such a folder

SEES = "vision"
"""The component of a model's map whose blocks see nothing but images."""
CLASS_TOKENS = ("class_embedding", "cls_token")
Router = Literal["table", "embedding", "none"]


class MixtureOfModality(PeftFolder):
    """The mixture-of-modality adapter (arXiv 2305.15023) at the input norms of the `components`' blocks.

    `rank` is the bottleneck's width, `groups` the blocks of each expert's block-diagonal matrix, `scale` the factor on
    the update, `temperature` the router's (see Mixture for the formula and the routers). Components in `train` are
    trained whole beside it, in float32. The folder it saves is plain PEFT, readable once this module is imported; it
    cannot be merged into the base. Dropout acts in the bottleneck.
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
            raise ValueError(f"adapter: rank {rank} is no positive multiple of groups {groups}")
        if temperature <= 0:
            raise ValueError(f"adapter.temperature: {temperature}; wanted a number above 0")
        if router not in get_args(Router):
            raise ValueError(f"adapter.router: {router!r}; wanted one of {', '.join(get_args(Router))}")
        self.rank, self.groups, self.scale, self.temperature = rank, groups, scale, temperature
        self.router, self.components, self.train = router, components, train

    def attach(self, net: nn.Module, model: Model, dropout: Dropout | None) -> nn.Module:
        """The net inside a PeftModel: the adapter in float32 and trainable, all else frozen, silent at birth."""
        norms = input_norms(net, model, self.components)
        config = MixtureConfig(
            target_modules=as_regex([name for names in norms.values() for name in names]),
            seeing_modules=as_regex(norms.get(SEES, [])),
            modules_to_save=self._beside(net, model),
            r=self.rank,
            groups=self.groups,
            scale=self.scale,
            temperature=self.temperature,
            router=self.router,
            class_token=any(name.rsplit(".", 1)[-1] in CLASS_TOKENS for name, _ in net.named_parameters()),
            task_type="CAUSAL_LM" if hasattr(net, "prepare_inputs_for_generation") else None,
        )
        adapted: nn.Module = get_peft_model(net, config)
        train_beside(adapted)
        if dropout is not None:
            set_dropout(adapted, dropout)
        return adapted

    def _beside(self, net: nn.Module, model: Model) -> list[str] | None:
        """The full names of what is trained whole."""
        unknown = set(self.train) - set(model.components)
        if unknown:
            raise ValueError(
                f"adapter.train: no {', '.join(sorted(unknown))}; the model has {', '.join(model.components)}"
            )
        both = set(self.train) & set(self.components)
        if both:
            raise ValueError(
                f"adapter.train: {', '.join(sorted(both))} is in adapter.components too; choose one of them"
            )
        return [prefix for component in self.train for prefix in model.components[component]] or None


def set_dropout(net: nn.Module, dropout: Dropout) -> None:
    """Set each adapted norm's dropout to its depth's probability; each stack counts from its own start."""
    layers = {name: module for name, module in net.named_modules() if isinstance(module, MixtureLayer)}
    for name, p in probabilities(layers, dropout).items():
        for mixture in layers[name].mixture_adapters.values():
            assert isinstance(mixture, Mixture), "a wrapped norm holds adapters"
            mixture.dropout.p = p
