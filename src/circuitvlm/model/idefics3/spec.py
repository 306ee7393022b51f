"""Specify an Idefics3 (arXiv 2408.12637) or a SmolVLM (arXiv 2504.05299)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration

from circuitvlm.model.base.checkpoint_model import CheckpointModel
from circuitvlm.model.base.untrained import SMALL_LLM
from circuitvlm.model.idefics3.codec import EXAMPLE, Idefics3Codec
from circuitvlm.model.idefics3.untrained import untrained_folder


@dataclass(kw_only=True, eq=False)
class Idefics3(CheckpointModel):
    """An Idefics3 or a SmolVLM by its checkpoint or, untrained, by its shape (idefics3/untrained.py).

    split: whether a picture is cut into tiles. longest_edge: the pixels to which its longer side is resized before.
    Where they are null, the checkpoint's image processor states them (idefics3/codec.py). A smaller edge, or no tiles,
    gives fewer image tokens. A dialogue of more than max_tokens is refused.
    """

    split: bool | None
    longest_edge: int | None

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vision": ("model.vision_model",),
        "projector": ("model.connector",),
        "llm": ("model.text_model",),
        "head": ("lm_head",),
    }
    blocks: ClassVar[tuple[str, ...]] = ("model.vision_model.encoder.layers", "model.text_model.layers")
    example: ClassVar[str] = EXAMPLE
    net_classes: ClassVar[Mapping[str, Any]] = {
        "idefics3": Idefics3ForConditionalGeneration,  # the first SmolVLMs have this type too
        "smolvlm": SmolVLMForConditionalGeneration,  # also reads videos; its parts and its pictures are the same
    }
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {
        **SMALL_LLM,
        "vision_hidden": 64,
        "vision_layers": 2,
        "vision_heads": 2,
        "image": 56,
        "patch": 14,
        "scale": 2,
        "longest_edge": 112,
    }
    smoke_test_settings: ClassVar[Mapping[str, Any]] = {"longest_edge": None}
    exempt: ClassVar[dict[str, str]] = {
        "shrinking": "a picture has the tokens that the checkpoint or model.longest_edge states for its shape",
        "pixels": "the tiles of all pictures are concatenated; transformers' own processor pads instead",
    }

    def codec(self) -> Idefics3Codec:
        return Idefics3Codec(
            folder=self.folder, split=self.split, longest_edge=self.longest_edge, max_tokens=self.max_tokens
        )

    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        return untrained_folder(root, shape)

    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        """The net's own get_image_features would drop tiles that are 0 throughout, which it takes for padding."""
        tower = net.model.vision_model
        tiles = vision["pixel_values"].to(tower.embeddings.patch_embedding.weight.dtype)
        features: Tensor = net.model.connector(tower(pixel_values=tiles).last_hidden_state).flatten(0, 1)
        return features

    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        side = net.config.vision_config.image_size
        return {"pixel_values": torch.zeros(1, 3, side, side, device=device)}
