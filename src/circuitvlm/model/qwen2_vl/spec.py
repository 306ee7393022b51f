"""Who answers? A member of the Qwen2-VL family (arXiv 2409.12191): a folder, a hub name or a shape.

Shape suffixes: N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import Qwen2VLForConditionalGeneration

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.generation import among, plain, until
from circuitvlm.model.base.language_model import embedded, said
from circuitvlm.model.base.loading import attention_available, begun, frozen, locate, one_given
from circuitvlm.model.base.untrained import blank
from circuitvlm.model.qwen2_vl.codec import Qwen2VLCodec

STANDIN_SHAPE: Mapping[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "intermediate": 128,
    "vision_hidden": 64,
    "vision_layers": 2,
    "vision_heads": 2,
    "patch": 14,
    "min_pixels": 56 * 56,
    "max_pixels": 224 * 168,
}


class Qwen2VL:
    """A Qwen2-VL by its checkpoint (`weights`: a folder or a hub name) or, untrained, by its `shape` (_blank.py).

    attention: sdpa | eager | flash_attention_2 (falls back to sdpa, with a warning, where the package or a GPU is
    missing). min_pixels and max_pixels override the processor's own bounds; max_tokens bounds one dialogue, whose image
    is shrunk to fit, never cut. cache: where blank models are written.
    """

    components: Mapping[str, tuple[str, ...]] = {
        "vision": ("model.visual.patch_embed", "model.visual.blocks"),
        "projector": ("model.visual.merger",),
        "llm": ("model.language_model",),
        "head": ("lm_head",),
    }

    def __init__(
        self,
        *,
        weights: str | None,
        shape: Mapping[str, Any] | None,
        attention: Literal["sdpa", "eager", "flash_attention_2"],
        gradient_checkpointing: bool,
        min_pixels: int | None,
        max_pixels: int | None,
        max_tokens: int,
        cache: str,
    ) -> None:
        one_given(weights, shape=shape)
        self.weights = weights
        self.shape = shape
        self.attention = attention
        self.gradient_checkpointing = gradient_checkpointing
        self.min_pixels = min_pixels
        self.max_pixels = max_pixels
        self.max_tokens = max_tokens
        self.cache = cache

    def standin(self) -> Qwen2VL:
        """The same settings on a very small untrained model of this family, for tests and trials."""
        small = copy.copy(self)
        small.weights, small.shape = None, STANDIN_SHAPE
        small.min_pixels = small.max_pixels = None
        return small

    @property
    def folder(self) -> Path:
        """Where configuration, tokenizer and processor lie. Raises FileNotFoundError that says what to do."""
        if self.shape is not None:
            return blank(Path(self.cache), self.shape)
        assert self.weights is not None, "the constructor asks for weights or shape"
        return locate(self.weights)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Module-name patterns of the repeated blocks, for sharding and for dropout over depth."""
        return ("model.visual.blocks", "model.language_model.layers")

    def codec(self) -> Qwen2VLCodec:
        return Qwen2VLCodec(
            folder=self.folder, min_pixels=self.min_pixels, max_pixels=self.max_pixels, max_tokens=self.max_tokens
        )

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The net with its weights in `dtype`, frozen; quantization leaves tower, projector and head as they are.

        An untrained shape is initialised from torch's current seed.
        """
        net = begun(
            Qwen2VLForConditionalGeneration,
            self.folder,
            untrained=self.shape is not None,
            dtype=dtype,
            attention=attention_available(self.attention),
            quantization=quantization,
            plain=("model.visual", "lm_head"),
        )
        return frozen(net, checkpointing=self.gradient_checkpointing)

    def see(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        A batch without images looks at one empty patch group and keeps none of it: where weights are sharded, a rank
        that left the tower out would wait for the others for ever.
        """
        visual = plain(net).model.visual
        weight = visual.patch_embed.proj.weight
        if "pixel_values" in batch.vision:
            features = visual(batch.vision["pixel_values"].to(weight.dtype), grid_thw=batch.vision["image_grid_thw"])
            kept: Tensor = features.pooler_output
            return kept
        side, patch = visual.spatial_merge_size, visual.patch_embed
        width = patch.in_channels * patch.temporal_patch_size * patch.patch_size**2  # a split weight would not tell
        blank = weight.new_zeros(side * side, width)
        grid = torch.tensor([[1, side, side]], device=weight.device)
        nothing: Tensor = visual(blank, grid_thw=grid).pooler_output[:0]
        return nothing

    def say(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.asked`."""
        whole = plain(net)
        return said(whole, whole.model.language_model, features, batch)

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, greedy, without the end token.

        It sees as it does in training: transformers itself would leave the tower out where there is no image.
        """
        whole = plain(net)
        grids = {name: tensor for name, tensor in batch.vision.items() if name != "pixel_values"}
        end = whole.generation_config.eos_token_id or whole.config.text_config.eos_token_id
        ends: set[int] = set(end) if isinstance(end, list) else {end}
        with torch.no_grad():
            rows = whole.generate(
                input_ids=batch.tokens_BT,
                inputs_embeds=embedded(whole, self.see(net, batch), batch),
                attention_mask=batch.mask.long(),
                mm_token_type_ids=batch.modality_BT.int(),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                use_cache=True,
                synced_gpus=synced,
                eos_token_id=sorted(ends),
                pad_token_id=0,
                prefix_allowed_tokens_fn=among(
                    batch.choices,
                    prompt=batch.tokens_BT.shape[1],
                    end=min(ends),
                    words=whole.config.text_config.vocab_size,
                ),
                **grids,
            )
        return [until(row[batch.tokens_BT.shape[1] :].tolist(), ends) for row in rows]
