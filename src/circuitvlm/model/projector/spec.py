"""Specify a causal language model after an encoder, linear or an MLP, that makes soft tokens of a picture.

Shape suffixes: B rows, T tokens in a row, K columns of a batch, N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.checkpoint_model import CheckpointModel
from circuitvlm.model.base.dialogue_codec import DialogueCodec
from circuitvlm.model.base.language_model import base_model, embed
from circuitvlm.model.base.untrained import SMALL_LLM
from circuitvlm.model.projector.layout import Layout, read_layout
from circuitvlm.model.projector.network import Encoder, make_image_processor
from circuitvlm.model.projector.untrained import untrained_folder


@dataclass(kw_only=True, eq=False)
class Projector(CheckpointModel):
    """An LLM of any family that transformers loads as a causal LM, by its checkpoint or, untrained, by its shape
    (projector/untrained.py), with an encoder of pictures before it.

    A picture becomes grey, `image` pixels wide and high, normalised by `mean` and `std` (of values from 0 to 1). It is
    cut into squares of `patch` pixels, each of which becomes `tokens` soft tokens, by one linear layer or through
    hidden layers of the widths `hidden`. chat_template: whether the LLM's own is used where it has one. A dialogue of
    more than max_tokens is refused.
    """

    image: int
    patch: int
    tokens: int
    hidden: Sequence[int]
    mean: float
    std: float
    chat_template: bool

    example: ClassVar[str] = "meta-llama/Llama-3.1-8B-Instruct"
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {**SMALL_LLM, "initializer_range": 0.02}
    exempt: ClassVar[dict[str, str]] = {"shrinking": "an image has the same number of tokens, whatever its size"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch < 1 or self.image < self.patch or self.image % self.patch:
            raise ValueError(
                f"model.patch: expected a divisor of model.image={self.image}, or {self.image} for one square, got "
                f"{self.patch!r}"
            )
        if self.tokens < 1 or min(self.hidden, default=1) < 1 or self.std <= 0:
            raise ValueError(
                "model: expected tokens and hidden from 1 on and std above 0, got "
                f"tokens={self.tokens!r}, hidden={list(self.hidden)!r}, std={self.std!r}"
            )

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """The encoder is the projector; there is no vision tower."""
        return {"projector": ("projector",), "llm": (self._layout.llm,), "head": (self._layout.head,)}

    @property
    def blocks(self) -> tuple[str, ...]:
        return (self._layout.blocks,)

    @property
    def image_tokens(self) -> int:
        """The number of soft tokens of one picture."""
        return self.tokens * (self.image // self.patch) ** 2

    @property
    def _layout(self) -> Layout:
        return read_layout(self.folder)

    @property
    def image_processor(self) -> CLIPImageProcessorPil:
        return make_image_processor(image=self.image, mean=self.mean, std=self.std)

    def codec(self) -> DialogueCodec:
        return DialogueCodec(
            folder=self.folder,
            image_processor=self.image_processor,
            chat_template=self.chat_template,
            image_tokens=self.image_tokens,
            max_tokens=self.max_tokens,
        )

    def encoder(self, *, llm_width: int) -> Encoder:
        """A new encoder for an LLM of this width."""
        return Encoder(patch=self.patch, tokens=self.tokens, hidden=self.hidden, llm_width=llm_width)

    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        return untrained_folder(root, shape, image_processor=self.image_processor)

    def _complete(self, net: Any, load: Callable[..., Any]) -> None:
        """Make the encoder a part of the LLM, so that an adapter of the LLM alone is PEFT's for that LLM."""
        super()._complete(net, load)
        embeddings = net.get_input_embeddings().weight
        net.projector = self.encoder(llm_width=embeddings.shape[1]).to(embeddings.device)

    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        features: Tensor = net.projector(vision["pixel_values"]).flatten(0, 1)
        return features

    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        return {"pixel_values": torch.zeros(1, 3, self.image, self.image, device=device)}

    def answer_logits(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.target_mask`, by the LLM's own forward pass."""
        model = base_model(net)
        arguments = inspect.signature(model.forward).parameters
        columns_K = batch.target_mask.any(dim=0).nonzero().flatten()
        options = {"logits_to_keep": columns_K, "position_ids": batch.positions_RBT[0]}
        logits_BKV = model(
            inputs_embeds=embed(model, features, batch),
            attention_mask=batch.mask,
            use_cache=False,
            **{name: value for name, value in options.items() if name in arguments},
        ).logits
        if "logits_to_keep" not in arguments:
            logits_BKV = logits_BKV[:, columns_K]
        logits: Tensor = logits_BKV[batch.target_mask[:, columns_K]]
        return logits
