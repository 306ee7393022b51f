"""How does PEFT put a mixture-of-modality adapter into a net, and find it there again?"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor, nn

from circuitvlm.adapter.mixture_of_modality.config import KIND, MixtureConfig
from circuitvlm.adapter.mixture_of_modality.layer import MODALITIES, UNMERGEABLE, MixtureLayer, Told


class MixtureModel(BaseTuner):  # type: ignore[misc]  # PEFT is untyped
    """PEFT's tuner: wraps the norms that a config names, and holds what they share.

    The shared modality embedding lies here and not in a layer, so that a strategy that shards block by block keeps it
    whole while any block runs.
    """

    prefix = "mixture_"
    tuner_layer_cls = MixtureLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}
    uses_shared_state = True

    def route(self, pictured_BT: Tensor) -> None:
        """Which tokens are of samples with an image: kept until told otherwise (see core.contract.Routed)."""
        self.told.pictured_BT = pictured_BT

    def _pre_injection_hook(self, model: nn.Module, config: MixtureConfig, adapter_name: str) -> None:
        if "mixture_embedding" not in self._modules:
            self.mixture_embedding = nn.ModuleDict()
            self.told = Told(self.mixture_embedding)

    def _create_and_replace(
        self,
        config: MixtureConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        sees = re.fullmatch(config.seeing_modules, current_key) is not None
        if isinstance(target, MixtureLayer):
            layer = target
            layer.add(adapter_name, config)
        else:
            layer = MixtureLayer(target, told=self.told, sees=sees)
            layer.add(adapter_name, config)
            self._replace_module(parent, target_name, layer, target)
            if sees:
                layer.watch(parent)
        if config.router == "embedding" and not sees and adapter_name not in self.mixture_embedding:
            weight = layer.base_layer.weight
            assert isinstance(weight, Tensor), "a norm has a weight"
            self.mixture_embedding[adapter_name] = nn.Embedding(MODALITIES, len(weight), device=weight.device)

    def _layers(self) -> list[MixtureLayer]:
        return [module for module in self.model.modules() if isinstance(module, MixtureLayer)]

    def _follow(self) -> None:
        """Train each shared embedding just when the layers that read it are trained: PEFT looks at layers alone."""
        for name, embedding in self.mixture_embedding.items():
            readers = [layer.mixture_adapters[name] for layer in self._layers() if name in layer.mixture_adapters]
            embedding.requires_grad_(any(p.requires_grad for reader in readers for p in reader.parameters()))

    def set_adapter(self, adapter_name: str | list[str], inference_mode: bool = False) -> None:
        super().set_adapter(adapter_name, inference_mode=inference_mode)
        self._follow()

    def set_requires_grad(self, adapter_names: Any, requires_grad: bool = True) -> None:
        super().set_requires_grad(adapter_names, requires_grad=requires_grad)
        self._follow()

    def delete_adapter(self, adapter_name: str) -> None:
        super().delete_adapter(adapter_name)
        if adapter_name in self.mixture_embedding:
            del self.mixture_embedding[adapter_name]
        self._follow()

    def _enable_adapter_layers(self, enabled: bool = True) -> None:
        super()._enable_adapter_layers(enabled)
        self._follow()

    def _check_merge_allowed(self) -> None:
        raise NotImplementedError(UNMERGEABLE)

    def unload(self) -> nn.Module:
        """The plain net again: norms unwrapped, hooks gone."""
        for layer in self._layers():
            layer.leave()
        plain: nn.Module = super().unload()
        return plain


def register() -> None:
    """Make the kind known to PEFT. Its own function for this refuses names that PEFT does not list."""
    PEFT_TYPE_TO_CONFIG_MAPPING[KIND] = MixtureConfig
    PEFT_TYPE_TO_TUNER_MAPPING[KIND] = MixtureModel
    PEFT_TYPE_TO_PREFIX_MAPPING[KIND] = MixtureModel.prefix
