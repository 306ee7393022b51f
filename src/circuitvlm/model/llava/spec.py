"""Who answers? A LLaVA-1.5 (arXiv 2310.03744) or a LLaVA-NeXT: a folder, a hub name or a shape.

Shape suffixes: N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaNextForConditionalGeneration

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.generation import plain
from circuitvlm.model.base.language_model import ending, replies, said
from circuitvlm.model.base.loading import attention_available, begun, frozen, locate, model_type, one_given
from circuitvlm.model.llava.codec import LlavaCodec
from circuitvlm.model.llava.tiles import Eye
from circuitvlm.model.llava.untrained import blank

STANDIN_SHAPE: Mapping[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "intermediate": 128,
    "vision_hidden": 64,
    "vision_layers": 3,
    "vision_heads": 2,
    "image": 56,
    "patch": 14,
}


class Llava:
    """A LLaVA-1.5 by its checkpoint (`weights`: a folder or a hub name of the Hugging Face form, such as
    llava-hf/llava-1.5-7b-hf) or, untrained, by its `shape` (_llava_blank.py).

    resize: pad (the whole picture on a square, as it was trained), own (as the folder says: the hub's cuts out the
    middle) or square (squeezed; _llava_codec.py). attention: sdpa | eager | flash_attention_2 (falls back to sdpa, with
    a warning, where the package or a GPU is missing). max_tokens bounds one dialogue; a longer one is refused. cache:
    where blank models are written.
    """

    components: Mapping[str, tuple[str, ...]] = {
        "vision": ("model.vision_tower",),
        "projector": ("model.multi_modal_projector",),
        "llm": ("model.language_model",),
        "head": ("lm_head",),
    }
    exempt: ClassVar[dict[str, str]] = {"shrinking": "the checkpoint fixes how many tokens an image has"}
    kind: ClassVar[Any] = LlavaForConditionalGeneration
    hub: ClassVar[str] = "llava-hf/llava-1.5-7b-hf"
    standin_shape: ClassVar[Mapping[str, Any]] = STANDIN_SHAPE

    def __init__(
        self,
        *,
        weights: str | None,
        shape: Mapping[str, Any] | None,
        resize: Literal["own", "pad", "square"],
        attention: Literal["sdpa", "eager", "flash_attention_2"],
        gradient_checkpointing: bool,
        max_tokens: int,
        cache: str,
    ) -> None:
        one_given(weights, shape=shape)
        self.weights = weights
        self.shape = shape
        self.resize = resize
        self.attention = attention
        self.gradient_checkpointing = gradient_checkpointing
        self.max_tokens = max_tokens
        self.cache = cache

    def standin(self) -> Llava:
        """The same settings on a very small untrained model of this family, for tests and trials."""
        small = copy.copy(self)
        small.weights, small.shape, small.resize = None, self.standin_shape, "own"
        return small

    @property
    def folder(self) -> Path:
        """Where configuration, tokenizer and processor lie. Raises FileNotFoundError that says what to do, and
        ValueError where they are another family's."""
        if self.shape is not None:
            return blank(Path(self.cache), self.shape)
        assert self.weights is not None, "the constructor asks for weights or shape"
        folder = locate(self.weights, like=self.hub)
        kind = model_type(folder)
        wanted = self.kind.config_class.model_type
        if kind != wanted:
            raise ValueError(
                f"model.weights: {self.weights} is of the type {kind!r}, wanted {wanted!r}, as {self.hub} is; "
                "LLaVA's original folders are of another form"
            )
        return folder

    @property
    def blocks(self) -> tuple[str, ...]:
        """Module-name patterns of the repeated blocks, for sharding and for dropout over depth."""
        return ("model.vision_tower.encoder.layers", "model.language_model.layers")

    def codec(self) -> LlavaCodec:
        return LlavaCodec(folder=self.folder, resize=self.resize, max_tokens=self.max_tokens)

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The net with its weights in `dtype`, frozen; quantization leaves tower, projector and head as they are.

        The tower's blocks behind the last one that is read are left out. An untrained shape is initialised from torch's
        current seed.
        """
        net = begun(
            self.kind,
            self.folder,
            untrained=self.shape is not None,
            dtype=dtype,
            attention=attention_available(self.attention),
            quantization=quantization,
            plain=("model.vision_tower", "model.multi_modal_projector", "lm_head"),
        )
        read_only(net)
        net.generation_config = ending(net, end=self.codec().end)
        return frozen(net, checkpointing=self.gradient_checkpointing)

    def see(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        A batch without images looks at one empty picture and keeps nothing of it: where weights are sharded, a rank
        that left the tower out would wait for the others for ever.
        """
        whole = plain(net)
        weight = whole.model.vision_tower.embeddings.patch_embedding.weight
        some = "pixel_values" in batch.vision
        vision = batch.vision if some else _nothing(whole.config, weight)
        vision = {**vision, "pixel_values": vision["pixel_values"].to(weight.dtype)}
        features = torch.cat(tuple(whole.model.get_image_features(**vision).pooler_output))
        kept: Tensor = features if some else features[:0]
        return kept

    def say(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.asked`."""
        whole = plain(net)
        return said(whole, whole.model.language_model, features, batch)

    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, greedy, without the end token."""
        with torch.no_grad():
            features = self.see(net, batch)
        return replies(plain(net), features, batch, max_new_tokens=max_new_tokens, synced=synced)


class LlavaNext(Llava):
    """A LLaVA-NeXT (LLaVA-1.6) with the settings of a Llava: it looks at a picture's parts too, so `resize` is own.

    Its weight for the end of a line of image tokens is in no module, and stays as it is.
    """

    exempt: ClassVar[dict[str, str]] = {
        **Llava.exempt,
        "components": "the weight of an end of line (image_newline) lies in the net itself, in no module",
        "pixels": "the squares of all images stand one after the other, where the stock processor fills up to the most",
    }
    kind: ClassVar[Any] = LlavaNextForConditionalGeneration
    hub: ClassVar[str] = "llava-hf/llava-v1.6-vicuna-7b-hf"
    standin_shape: ClassVar[Mapping[str, Any]] = {**STANDIN_SHAPE, "grids": [[56, 112], [112, 56], [112, 112]]}


def read_only(net: Any) -> None:
    """Leave out the tower's blocks behind the last one that a feature is read from, and the norm behind them.

    Nothing reads them, so they could not be trained: DDP would wait for their gradients for ever.
    """
    config, tower = net.config, net.model.vision_tower
    states = len(tower.encoder.layers) + 1  # the first is what goes into the first block
    stated = config.vision_feature_layer
    read = [number % states for number in ([stated] if isinstance(stated, int) else stated)]
    tower.encoder.layers = tower.encoder.layers[: max(read)]
    tower.post_layernorm = nn.Identity()
    tower.config.num_hidden_layers = config.vision_config.num_hidden_layers = max(read)
    config.vision_feature_layer = read[0] if isinstance(stated, int) else read


def _nothing(config: Any, weight: Tensor) -> dict[str, Tensor]:
    """What a processor would make of one empty picture."""
    eye = Eye.of(config)
    pixels = weight.new_zeros(eye.squares((eye.side, eye.side)), 3, eye.side, eye.side)
    size = {} if eye.pages is None else {"image_sizes": torch.tensor([[eye.side, eye.side]], device=weight.device)}
    return {"pixel_values": pixels, **size}
