"""Small nets of the families that the adapter sits in, and a specification that says where their parts are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from circuitvlm.adapter.mixture_of_modality import MixtureOfModality
from circuitvlm.adapter.mixture_of_modality.layer import MixtureLayer
from circuitvlm.runtime.config.allow_list import instantiate
from tests.contract import parts

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}


class Place:
    """Where the parts of a net are: as much of a model's specification as an adapter reads."""

    def __init__(self, components: Mapping[str, tuple[str, ...]], blocks: tuple[str, ...]) -> None:
        self.components, self.blocks = components, blocks


LLM = Place({"llm": ("model",)}, ("model.layers",))
BOTH = Place(
    {"llm": ("llm.model",), "vision": ("tower",), "projector": ("projector",)},
    ("llm.model.layers", "tower.encoder.layers"),
)


class Pair(nn.Module):
    """An LLM and a CLIP tower with a projector between them; no Hugging Face model, as a family of our own may be."""

    def __init__(self) -> None:
        super().__init__()
        self.llm, self.tower, self.projector = llama(), clip(), nn.Linear(12, 16)

    def forward(self, pixels: Tensor, tokens_BT: Tensor) -> Tensor:
        seen_B1D = self.projector(self.tower(pixels).last_hidden_state[:, :1])
        embeds_BTD = torch.cat([seen_B1D, self.llm.get_input_embeddings()(tokens_BT)], dim=1)
        logits: Tensor = self.llm(inputs_embeds=embeds_BTD, use_cache=False).logits
        return logits


def llama(**changes: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(**{**SMALL, **changes})).eval().requires_grad_(False)


def qwen2(**changes: Any) -> Any:
    return Qwen2ForCausalLM(Qwen2Config(**{**SMALL, **changes})).eval().requires_grad_(False)


def clip(**changes: Any) -> Any:
    shape = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPVisionConfig(**{**shape, "image_size": 8, "patch_size": 4, **changes})
    return CLIPVisionModel(config).eval().requires_grad_(False)


def adapter(router: str = "table", /, **changes: Any) -> MixtureOfModality:
    """The adapter of the router's YAML, with some settings changed."""
    name = {"table": "mixture_of_modality"}.get(router, f"mixture_of_modality_{router}")
    made: MixtureOfModality = instantiate({**parts.section("adapter", name), **changes})
    return made


def attached(router: str, net: nn.Module, place: Any, *, dropout: Any = None, **changes: Any) -> Any:
    """The net in float64 with an adapter whose weights are all random, as if it had been trained: it is heard."""
    changes.setdefault("temperature", 1.0)
    changes.setdefault("components", [name for name in place.components if name in ("llm", "vision")])
    made = adapter(router, **changes).attach(net, place, dropout).double().eval()
    return shaken(made)


def shaken(net: nn.Module, *, seed: int = 7) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 4)
    return net


def layers(net: nn.Module) -> dict[str, MixtureLayer]:
    return {name: module for name, module in net.named_modules() if isinstance(module, MixtureLayer)}


def trained(net: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in net.named_parameters() if p.requires_grad}


def pixels(count: int, *, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
