"""Who answers? Any causal language model, behind a linear or small encoder that makes soft tokens of a picture.

Shape suffixes: B rows, T tokens in a row, K columns of a batch, N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.dialogue_codec import DialogueCodec
from circuitvlm.model.base.generation import plain
from circuitvlm.model.base.language_model import embedded, ending, replies
from circuitvlm.model.base.loading import attention_available, begun, frozen, locate, one_given
from circuitvlm.model.projector.layout import Layout, layout
from circuitvlm.model.projector.network import Encoder, pictures
from circuitvlm.model.projector.untrained import blank

STANDIN_SHAPE: Mapping[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "intermediate": 128,
    "initializer_range": 0.02,
}


class Projector:
    """An LLM (`weights`: a folder or a hub name, of any family that transformers loads as a causal LM; or, untrained,
    its `shape`, _projector_blank.py) with an encoder of pictures in front of it.

    A picture becomes grey, `image` pixels wide and high, normalised by `mean` and `std` (of values from 0 to 1), and is
    cut into squares of `patch` pixels, each of which becomes `tokens` soft tokens: by one linear map, or through
    `hidden` layers of these widths. chat_template: whether the LLM's own is used where it has one. attention: sdpa |
    eager | flash_attention_2 (falls back to sdpa, with a warning, where the package or a GPU is missing). max_tokens
    bounds one dialogue; a longer one is refused. cache: where blank models are written.
    """

    exempt: ClassVar[dict[str, str]] = {"shrinking": "an image has the same number of tokens, whatever its size"}

    def __init__(
        self,
        *,
        weights: str | None,
        shape: Mapping[str, Any] | None,
        image: int,
        patch: int,
        tokens: int,
        hidden: Sequence[int],
        mean: float,
        std: float,
        chat_template: bool,
        attention: Literal["sdpa", "eager", "flash_attention_2"],
        gradient_checkpointing: bool,
        max_tokens: int,
        cache: str,
    ) -> None:
        one_given(weights, shape=shape)
        if patch < 1 or image < patch or image % patch:
            raise ValueError(
                f"model.patch: came {patch}, wanted a divisor of model.image={image}, or {image} for one square"
            )
        if tokens < 1 or min(hidden, default=1) < 1 or std <= 0:
            raise ValueError(
                f"model: tokens={tokens}, hidden={list(hidden)}, std={std}; wanted widths from 1 on, and std above 0"
            )
        self.weights, self.shape = weights, shape
        self.image, self.patch, self.tokens, self.hidden = image, patch, tokens, hidden
        self.mean, self.std = mean, std
        self.chat_template = chat_template
        self.attention = attention
        self.gradient_checkpointing = gradient_checkpointing
        self.max_tokens = max_tokens
        self.cache = cache

    def standin(self) -> Projector:
        """The same settings on a very small untrained LLM, for tests and trials."""
        small = copy.copy(self)
        small.weights, small.shape = None, STANDIN_SHAPE
        return small

    @property
    def folder(self) -> Path:
        """Where the LLM's configuration and tokenizer lie. Raises FileNotFoundError that says what to do."""
        if self.shape is not None:
            return blank(Path(self.cache), self.shape, images=self._pictures)
        assert self.weights is not None, "the constructor asks for weights or shape"
        return locate(self.weights, like="meta-llama/Llama-3.1-8B-Instruct")

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """The encoder is the projector; there is no vision tower."""
        found = self._layout
        return {"projector": ("projector",), "llm": (found.llm,), "head": (found.head,)}

    @property
    def blocks(self) -> tuple[str, ...]:
        """Module-name patterns of the repeated blocks, for sharding and for dropout over depth."""
        return (self._layout.blocks,)

    @property
    def image_tokens(self) -> int:
        """Soft tokens of one picture."""
        return self.tokens * (self.image // self.patch) ** 2

    @property
    def _layout(self) -> Layout:
        return layout(self.folder)

    @property
    def _pictures(self) -> Any:
        return pictures(image=self.image, mean=self.mean, std=self.std)

    def codec(self) -> DialogueCodec:
        return DialogueCodec(
            folder=self.folder,
            images=self._pictures,
            chat_template=self.chat_template,
            image_tokens=self.image_tokens,
            max_tokens=self.max_tokens,
        )

    def encoder(self, *, spoken: int) -> Encoder:
        """A new encoder for an LLM of this width."""
        return Encoder(patch=self.patch, tokens=self.tokens, hidden=self.hidden, spoken=spoken)

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The LLM with its weights in `dtype` and a new encoder in float32, frozen; quantization leaves the encoder and
        the head as they are.

        The encoder, and all of an untrained shape, is initialised from torch's current seed. It is a part of the LLM,
        and not the other way round, so that an adapter of the LLM alone is PEFT's for that LLM.
        """
        llm = begun(
            AutoModelForCausalLM,
            self.folder,
            untrained=self.shape is not None,
            dtype=dtype,
            attention=attention_available(self.attention),
            quantization=quantization,
            plain=(self._layout.head,),
        )
        llm.generation_config = ending(llm, end=self.codec().end)
        words = llm.get_input_embeddings().weight
        llm.projector = self.encoder(spoken=words.shape[1]).to(words.device)
        return frozen(llm, checkpointing=self.gradient_checkpointing)

    def see(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        A batch without images looks at one empty picture and keeps nothing of it: where weights are sharded, a rank
        that left the encoder out would wait for the others for ever.
        """
        whole = plain(net)
        some = "pixel_values" in batch.vision
        empty = torch.zeros(1, 3, self.image, self.image, device=batch.tokens_BT.device)
        features = whole.projector(batch.vision["pixel_values"] if some else empty).flatten(0, 1)
        kept: Tensor = features if some else features[:0]
        return kept

    def say(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.asked`, by the LLM's own forward pass: some change them behind their head."""
        whole = plain(net)
        known = inspect.signature(whole.forward).parameters
        columns_K = batch.asked.any(dim=0).nonzero().flatten()
        spared = {"logits_to_keep": columns_K} if "logits_to_keep" in known else {}
        placed = {"position_ids": batch.positions_RBT[0]} if "position_ids" in known else {}
        logits_BKV = whole(
            inputs_embeds=embedded(whole, features, batch),
            attention_mask=batch.mask,
            use_cache=False,
            **spared,
            **placed,
        ).logits
        if not spared:
            logits_BKV = logits_BKV[:, columns_K]
        logits: Tensor = logits_BKV[batch.asked[:, columns_K]]
        return logits

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, greedy, without the end token."""
        with torch.no_grad():
            features = self.see(net, batch)
        return replies(plain(net), features, batch, max_new_tokens=max_new_tokens, synced=synced)
