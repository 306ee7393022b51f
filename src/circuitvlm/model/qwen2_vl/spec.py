"""Specify a model of the Qwen2-VL family (arXiv 2409.12191)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import Qwen2VLForConditionalGeneration

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.checkpoint_model import CheckpointModel
from circuitvlm.model.base.untrained import SMALL_LLM
from circuitvlm.model.qwen2_vl.codec import Qwen2VLCodec
from circuitvlm.model.qwen2_vl.untrained import untrained_folder


@dataclass(kw_only=True, eq=False)
class Qwen2VL(CheckpointModel):
    """A Qwen2-VL by its checkpoint or, untrained, by its shape (qwen2_vl/untrained.py).

    min_pixels and max_pixels override the image processor's own bounds. An image is shrunk where its prompt and
    reply_tokens, which are kept for the reply, would have more than max_tokens.
    """

    min_pixels: int | None
    max_pixels: int | None
    reply_tokens: int

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vision": ("model.visual.patch_embed", "model.visual.blocks"),
        "projector": ("model.visual.merger",),
        "llm": ("model.language_model",),
        "head": ("lm_head",),
    }
    blocks: ClassVar[tuple[str, ...]] = ("model.visual.blocks", "model.language_model.layers")
    example: ClassVar[str] = "Qwen/Qwen2-VL-2B-Instruct"
    net_classes: ClassVar[Mapping[str, Any]] = {"qwen2_vl": Qwen2VLForConditionalGeneration}
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {
        **SMALL_LLM,
        "vision_hidden": 64,
        "vision_layers": 2,
        "vision_heads": 2,
        "patch": 14,
        "min_pixels": 56 * 56,
        "max_pixels": 224 * 168,
    }
    smoke_test_settings: ClassVar[Mapping[str, Any]] = {"min_pixels": None, "max_pixels": None}

    def codec(self) -> Qwen2VLCodec:
        return Qwen2VLCodec(
            folder=self.folder,
            min_pixels=self.min_pixels,
            max_pixels=self.max_pixels,
            max_tokens=self.max_tokens,
            reply_tokens=self.reply_tokens,
        )

    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        return untrained_folder(root, shape)

    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        visual = net.model.visual
        pixels = vision["pixel_values"].to(visual.patch_embed.proj.weight.dtype)
        features: Tensor = visual(pixels, grid_thw=vision["image_grid_thw"]).pooler_output
        return features

    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        """One group of patches that becomes one token."""
        visual = net.model.visual
        side, patch = visual.spatial_merge_size, visual.patch_embed
        width = patch.in_channels * patch.temporal_patch_size * patch.patch_size**2  # a sharded weight has another
        return {
            "pixel_values": torch.zeros(side * side, width, device=device),
            "image_grid_thw": torch.tensor([[1, side, side]], device=device),
        }

    def _generate_inputs(self, batch: Batch) -> Mapping[str, Any]:
        """Multimodal RoPE needs the tokens and the grids of the images.

        Without their pixels, transformers takes the features that stand in the embeddings. They are computed as in
        training, since transformers itself would not run the tower where there is no image.
        """
        grids = {name: tensor for name, tensor in batch.vision.items() if name != "pixel_values"}
        return {"input_ids": batch.tokens_BT, "mm_token_type_ids": batch.modality_BT.int(), **grids}
