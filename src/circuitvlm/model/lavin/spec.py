"""Who answers? A LaVIN (arXiv 2305.15023): any LLM laid out as Llama, a CLIP tower, and six tokens between them.

Shape suffixes: N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, CLIPVisionModel

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.generation import plain
from circuitvlm.model.base.language_model import ending, replies, said
from circuitvlm.model.base.loading import attention_available, begun, frozen, locate
from circuitvlm.model.lavin.codec import LavinCodec
from circuitvlm.model.lavin.network import class_tokens, joined
from circuitvlm.model.lavin.untrained import VISION, blank

STANDIN_SHAPE: Mapping[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "intermediate": 128,
    "vision_hidden": 64,
    "vision_layers": 6,
    "vision_heads": 2,
    "image": 56,
    "patch": 14,
}


class Lavin:
    """An LLM (`weights`) and a CLIP tower (`vision`), each a folder or a hub name; or, untrained, both by a `shape`
    (_lavin_blank.py).

    prefix_tokens: class tokens of the tower, at depths evenly apart, that stand for an image; they go through
    prefix_width dimensions. resize: square (the whole picture) or own (as the tower's folder says; _lavin_codec.py).
    chat_template: whether the LLM's own is used where it has one. attention: sdpa | eager | flash_attention_2 (falls
    back to sdpa, with a warning, where the package or a GPU is missing). max_tokens bounds one dialogue; a longer one
    is refused. cache: where blank models are written.
    """

    components: Mapping[str, tuple[str, ...]] = {
        "vision": ("vision",),
        "projector": ("projector",),
        "llm": ("model",),
        "head": ("lm_head",),
    }
    exempt: ClassVar[dict[str, str]] = {"shrinking": "an image has the same number of tokens, whatever its size"}

    def __init__(
        self,
        *,
        weights: str | None,
        vision: str | None,
        shape: Mapping[str, Any] | None,
        prefix_tokens: int,
        prefix_width: int,
        resize: Literal["own", "square"],
        chat_template: bool,
        attention: Literal["sdpa", "eager", "flash_attention_2"],
        gradient_checkpointing: bool,
        max_tokens: int,
        cache: str,
    ) -> None:
        if not (weights is None) == (vision is None) != (shape is None):
            raise ValueError(
                "model: give either weights and vision, or shape "
                f"(weights={weights!r}, vision={vision!r}, shape={shape!r})"
            )
        self.weights = weights
        self.vision = vision
        self.shape = shape
        self.prefix_tokens = prefix_tokens
        self.prefix_width = prefix_width
        self.resize = resize
        self.chat_template = chat_template
        self.attention = attention
        self.gradient_checkpointing = gradient_checkpointing
        self.max_tokens = max_tokens
        self.cache = cache

    def standin(self) -> Lavin:
        """The same settings on a very small untrained model of this family, for tests and trials."""
        small = copy.copy(self)
        small.weights, small.vision, small.shape = None, None, STANDIN_SHAPE
        small.prefix_tokens, small.prefix_width = min(self.prefix_tokens, STANDIN_SHAPE["vision_layers"]), 32
        small.resize = "own"
        return small

    @property
    def folder(self) -> Path:
        """Where the LLM's configuration and tokenizer lie. Raises FileNotFoundError that says what to do."""
        if self.shape is not None:
            return blank(Path(self.cache), self.shape)
        assert self.weights is not None, "the constructor asks for weights or shape"
        return locate(self.weights, like="huggyllama/llama-7b")

    @property
    def vision_folder(self) -> Path:
        """Where the tower's configuration and image processor lie. Raises FileNotFoundError that says what to do, and
        ValueError where they are no CLIP's."""
        if self.shape is not None:
            return self.folder / VISION
        assert self.vision is not None, "the constructor asks for vision beside weights"
        folder = locate(self.vision, key="model.vision", like="openai/clip-vit-large-patch14")
        kind = json.loads((folder / "config.json").read_text()).get("model_type")
        if kind not in ("clip", "clip_vision_model"):
            raise ValueError(f"model.vision: {self.vision} is of the type {kind!r}, wanted a CLIP vision tower")
        return folder

    @property
    def blocks(self) -> tuple[str, ...]:
        """Module-name patterns of the repeated blocks, for sharding and for dropout over depth."""
        return ("vision.encoder.layers", "model.layers")

    def codec(self) -> LavinCodec:
        return LavinCodec(
            folder=self.folder,
            vision=self.vision_folder,
            resize=self.resize,
            chat_template=self.chat_template,
            image_tokens=self.prefix_tokens,
            max_tokens=self.max_tokens,
        )

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The LLM and the tower with their weights in `dtype` and a new prefix in float32, frozen.

        Quantization leaves tower, prefix and head as they are. The prefix, and all of an untrained shape, is
        initialised from torch's current seed.
        """
        attention = attention_available(self.attention)
        start = partial(begun, untrained=self.shape is not None, dtype=dtype, attention=attention)
        llm = start(AutoModelForCausalLM, self.folder, quantization=quantization, plain=("lm_head",))
        llm.generation_config = ending(llm, end=self.codec().end)
        tower = start(CLIPVisionModel, self.vision_folder, quantization=None, plain=())
        net = joined(llm, tower, tokens=self.prefix_tokens, width=self.prefix_width)
        return frozen(net, checkpointing=self.gradient_checkpointing)

    def see(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        A batch without images looks at one empty picture and keeps nothing of it: where weights are sharded, a rank
        that left the tower out would wait for the others for ever.
        """
        whole = plain(net)
        side, some = whole.vision.config.image_size, "pixel_values" in batch.vision
        weight = whole.vision.embeddings.class_embedding
        pixels = batch.vision["pixel_values"].to(weight.dtype) if some else weight.new_zeros(1, 3, side, side)
        features = whole.projector(class_tokens(whole.vision, pixels, tokens=self.prefix_tokens)).flatten(0, 1)
        kept: Tensor = features if some else features[:0]
        return kept

    def say(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.asked`."""
        whole = plain(net)
        return said(whole, whole.model, features, batch)

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, greedy, without the end token."""
        with torch.no_grad():
            features = self.see(net, batch)
        return replies(plain(net), features, batch, max_new_tokens=max_new_tokens, synced=synced)
