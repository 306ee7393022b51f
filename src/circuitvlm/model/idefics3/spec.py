"""Who answers? An Idefics3 (arXiv 2408.12637) or a SmolVLM (arXiv 2504.05299): a folder, a hub name or a shape.

Shape suffixes: N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.generation import plain
from circuitvlm.model.base.language_model import ending, replies, said
from circuitvlm.model.base.loading import attention_available, begun, frozen, locate, model_type, one_given
from circuitvlm.model.idefics3.codec import Idefics3Codec
from circuitvlm.model.idefics3.untrained import blank

STANDIN_SHAPE: Mapping[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "intermediate": 128,
    "vision_hidden": 64,
    "vision_layers": 2,
    "vision_heads": 2,
    "image": 56,
    "patch": 14,
    "scale": 2,
    "longest_edge": 112,
}

HUB = "HuggingFaceTB/SmolVLM-256M-Instruct"

KINDS: Mapping[str, Any] = {"idefics3": Idefics3ForConditionalGeneration, "smolvlm": SmolVLMForConditionalGeneration}
"""By `model_type`: the first SmolVLMs are Idefics3s by name too; the second ones, which see videos, have the same
parts and look at a picture in the same way."""


class Idefics3:
    """An Idefics3 or a SmolVLM by its checkpoint (`weights`: a folder or a hub name of the Hugging Face form, such as
    HuggingFaceTB/SmolVLM-256M-Instruct) or, untrained, by its `shape` (_idefics3_blank.py).

    split: whether a picture is cut into tiles, and longest_edge: to how many pixels it is brought before; null: as the
    folder says (_idefics3_codec.py). Less of it, or no tiles, are fewer image tokens. attention: sdpa | eager |
    flash_attention_2 (falls back to sdpa, with a warning, where the package or a GPU is missing). max_tokens bounds one
    dialogue; a longer one is refused. cache: where blank models are written.
    """

    components: Mapping[str, tuple[str, ...]] = {
        "vision": ("model.vision_model",),
        "projector": ("model.connector",),
        "llm": ("model.text_model",),
        "head": ("lm_head",),
    }
    exempt: ClassVar[dict[str, str]] = {
        "shrinking": "a picture has the tokens that the checkpoint or model.longest_edge states for its shape",
        "pixels": "the tiles of all pictures stand one after the other, where the stock processor fills up to the most",
    }

    def __init__(
        self,
        *,
        weights: str | None,
        shape: Mapping[str, Any] | None,
        split: bool | None,
        longest_edge: int | None,
        attention: Literal["sdpa", "eager", "flash_attention_2"],
        gradient_checkpointing: bool,
        max_tokens: int,
        cache: str,
    ) -> None:
        one_given(weights, shape=shape)
        self.weights = weights
        self.shape = shape
        self.split = split
        self.longest_edge = longest_edge
        self.attention = attention
        self.gradient_checkpointing = gradient_checkpointing
        self.max_tokens = max_tokens
        self.cache = cache

    def standin(self) -> Idefics3:
        """The same settings on a very small untrained model of this family, for tests and trials."""
        small = copy.copy(self)
        small.weights, small.shape, small.longest_edge = None, STANDIN_SHAPE, None
        return small

    @property
    def folder(self) -> Path:
        """Where configuration, tokenizer and processor lie. Raises FileNotFoundError that says what to do, and
        ValueError where they are another family's."""
        if self.shape is not None:
            return blank(Path(self.cache), self.shape)
        assert self.weights is not None, "the constructor asks for weights or shape"
        folder = locate(self.weights, like=HUB)
        if (kind := model_type(folder)) not in KINDS:
            raise ValueError(
                f"model.weights: {self.weights} is of the type {kind!r}, wanted {' or '.join(map(repr, KINDS))}, as "
                f"{HUB} is"
            )
        return folder

    @property
    def blocks(self) -> tuple[str, ...]:
        """Module-name patterns of the repeated blocks, for sharding and for dropout over depth."""
        return ("model.vision_model.encoder.layers", "model.text_model.layers")

    def codec(self) -> Idefics3Codec:
        return Idefics3Codec(
            folder=self.folder, split=self.split, longest_edge=self.longest_edge, max_tokens=self.max_tokens
        )

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The net with its weights in `dtype`, frozen; quantization leaves tower, connector and head as they are.

        An untrained shape is initialised from torch's current seed.
        """
        folder = self.folder
        net = begun(
            KINDS[model_type(folder)],
            folder,
            untrained=self.shape is not None,
            dtype=dtype,
            attention=attention_available(self.attention),
            quantization=quantization,
            plain=("model.vision_model", "model.connector", "lm_head"),
        )
        net.generation_config = ending(net, end=self.codec().end)
        return frozen(net, checkpointing=self.gradient_checkpointing)

    def see(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        Not by the net's own get_image_features, which takes tiles that are 0 throughout for padding and loses them.
        A batch without images looks at one empty tile and keeps nothing of it: where weights are sharded, a rank that
        left the tower out would wait for the others for ever.
        """
        whole = plain(net).model
        weight = whole.vision_model.embeddings.patch_embedding.weight
        side = whole.config.vision_config.image_size
        some = "pixel_values" in batch.vision
        tiles = batch.vision["pixel_values"] if some else weight.new_zeros(1, 3, side, side)
        hidden = whole.vision_model(pixel_values=tiles.to(weight.dtype)).last_hidden_state
        features: Tensor = whole.connector(hidden).flatten(0, 1)
        return features if some else features[:0]

    def say(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.asked`."""
        whole = plain(net)
        return said(whole, whole.model.text_model, features, batch)

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, greedy, without the end token."""
        with torch.no_grad():
            features = self.see(net, batch)
        return replies(plain(net), features, batch, max_new_tokens=max_new_tokens, synced=synced)
