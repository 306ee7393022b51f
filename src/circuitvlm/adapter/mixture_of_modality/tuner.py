"""Define the PEFT tuner of the mixture-of-modality adapter."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor, nn

from circuitvlm.adapter.mixture_of_modality.config import KIND, MixtureConfig
from circuitvlm.adapter.mixture_of_modality.layer import MODALITIES, UNMERGEABLE, MixtureLayer, RoutingState


class MixtureModel(BaseTuner):  # type: ignore[misc]  # PEFT is untyped
    """PEFT tuner that wraps the norms of a config, and holds the modality embedding that they share.

    The embedding is not in a layer, so that a strategy that shards block by block keeps it whole while any block runs.
    """

    prefix = "mixture_"
    tuner_layer_cls = MixtureLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}
    uses_shared_state = True

    def route(self, pictured_BT: Tensor) -> None:
        """Set the tokens of samples with an image, until the next call (see core.contract.Routed)."""
        self.routing_state.pictured_BT = pictured_BT

    def _pre_injection_hook(self, model: nn.Module, config: MixtureConfig, adapter_name: str) -> None:
        if "mixture_embedding" not in self._modules:
            self.mixture_embedding = nn.ModuleDict()
            self.routing_state = RoutingState(self.mixture_embedding)

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
        in_vision_tower = re.fullmatch(config.seeing_modules, current_key) is not None
        layer = (
            target
            if isinstance(target, MixtureLayer)
            else MixtureLayer(target, routing_state=self.routing_state, in_vision_tower=in_vision_tower)
        )
        layer.add(adapter_name, config)
        if layer is not target:
            self._replace_module(parent, target_name, layer, target)
            if in_vision_tower:
                layer.track_image_ends(parent)
        if config.router == "embedding" and not in_vision_tower and adapter_name not in self.mixture_embedding:
            weight = layer.base_layer.weight
            assert isinstance(weight, Tensor), "a norm has a weight"
            self.mixture_embedding[adapter_name] = nn.Embedding(MODALITIES, len(weight), device=weight.device)

    def _layers(self) -> list[MixtureLayer]:
        return [module for module in self.model.modules() if isinstance(module, MixtureLayer)]

    def _update_embeddings(self) -> None:
        """Make each shared embedding trainable where its layers are: PEFT only handles layers."""
        for name, embedding in self.mixture_embedding.items():
            readers = [layer.mixture_adapters[name] for layer in self._layers() if name in layer.mixture_adapters]
            embedding.requires_grad_(any(p.requires_grad for reader in readers for p in reader.parameters()))

    def set_adapter(self, adapter_name: str | list[str], inference_mode: bool = False) -> None:
        super().set_adapter(adapter_name, inference_mode=inference_mode)
        self._update_embeddings()

    def set_requires_grad(self, adapter_names: Any, requires_grad: bool = True) -> None:
        super().set_requires_grad(adapter_names, requires_grad=requires_grad)
        self._update_embeddings()

    def delete_adapter(self, adapter_name: str) -> None:
        super().delete_adapter(adapter_name)
        if adapter_name in self.mixture_embedding:
            del self.mixture_embedding[adapter_name]
        self._update_embeddings()

    def _enable_adapter_layers(self, enabled: bool = True) -> None:
        super()._enable_adapter_layers(enabled)
        self._update_embeddings()

    def _check_merge_allowed(self) -> None:
        raise NotImplementedError(UNMERGEABLE)

    def unload(self) -> nn.Module:
        """Return the plain net, without wrapped norms and hooks."""
        for layer in self._layers():
            layer.remove_hook()
        plain: nn.Module = super().unload()
        return plain


def register() -> None:
    """Register the tuner with PEFT, whose own function for this refuses names that it does not list."""
    PEFT_TYPE_TO_CONFIG_MAPPING[KIND] = MixtureConfig
    PEFT_TYPE_TO_TUNER_MAPPING[KIND] = MixtureModel
    PEFT_TYPE_TO_PREFIX_MAPPING[KIND] = MixtureModel.prefix
