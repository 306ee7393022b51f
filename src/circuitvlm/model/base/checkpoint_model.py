"""Define what the model families have in common: settings, folder, building, features, logits and replies.

Shape suffixes: N labelled tokens, V vocabulary, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.checkpoint_folder import locate, model_type
from circuitvlm.model.base.codec import CheckpointCodec
from circuitvlm.model.base.language_model import base_model, generate_replies, greedy_config, target_logits
from circuitvlm.model.base.loading import available_attention, load_net
from circuitvlm.model.base.sampling import check_settings


@dataclass(kw_only=True, eq=False)
class CheckpointModel(ABC):
    """A model given by its checkpoint (`weights`: a folder or a hub name, in the Hugging Face form) or by its `shape`.

    A model that is given by its shape is untrained. attention: sdpa | eager | flash_attention_2. The last falls back to
    sdpa, with a warning, where the package or a GPU is missing. gradient_checkpointing: whether blocks recompute what
    their gradients need. max_tokens: the bound of one dialogue, which is never cut. cache: the folder in which
    untrained checkpoints are written. sampling: None for the likeliest tokens, whatever the checkpoint's own
    generation_config.json states, or settings of sampling.SETTINGS.
    """

    weights: str | None
    shape: Mapping[str, Any] | None
    attention: Literal["sdpa", "eager", "flash_attention_2"]
    gradient_checkpointing: bool
    max_tokens: int
    cache: str
    sampling: Mapping[str, float] | None = None

    example: ClassVar[str]
    """The name of a checkpoint on the hub, for messages."""
    net_classes: ClassVar[Mapping[str, Any]] = {}
    """The transformers class of each model type that the family loads. A family without one loads any causal LM."""
    smoke_test_shape: ClassVar[Mapping[str, Any]]
    smoke_test_settings: ClassVar[Mapping[str, Any]] = {}
    """The settings that a smoke test changes, except `weights` and `shape`."""

    def __post_init__(self) -> None:
        if (self.weights is None) == (self.shape is None):
            raise ValueError(
                f"model: expected either weights or shape, got weights={self.weights!r} and shape={self.shape!r}"
            )
        check_settings(self.sampling or {})

    @property
    @abstractmethod
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """Prefixes of module names: of the vision tower, the projector, the LLM and its head."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[str, ...]:
        """Names of the stacks of repeated blocks, for sharding and for dropout over depth."""

    @abstractmethod
    def codec(self) -> CheckpointCodec:
        """The conversion between dialogues and this model's tokens."""

    @abstractmethod
    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        """The folder under `root` of an untrained checkpoint of this shape, written on first use."""

    @abstractmethod
    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        """The features (image tokens, D) of the images whose tensors are in `vision`."""

    @abstractmethod
    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        """The tensors of one empty image, as the family's image processor makes them."""

    def smoke_test_model(self) -> Self:
        """The same settings on a very small untrained model of this family, for tests and smoke tests."""
        return replace(self, weights=None, shape=self.smoke_test_shape, **self.smoke_test_settings)

    @property
    def folder(self) -> Path:
        """The folder of configuration, tokenizer and image processor.

        Raises FileNotFoundError that says what to do, and ValueError where the checkpoint is another family's.
        """
        if self.shape is not None:
            return self._untrained_folder(Path(self.cache), self.shape)
        assert self.weights is not None, "the constructor requires weights or shape"
        return locate(self.weights, example=self.example, model_types=tuple(self.net_classes))

    @property
    def folders(self) -> Mapping[str, Path]:
        """The folders whose files decide what the net computes, by the setting that names each."""
        return {"weights": self.folder}

    def build(self, *, dtype: torch.dtype, quantization: Any | None) -> nn.Module:
        """The frozen net, with its weights in `dtype` and new parts in float32; only the LLM is quantized.

        New parts, and all weights of an untrained shape, are initialised from torch's current seed.
        """
        folder = self.folder
        net_class = self.net_classes[model_type(folder)] if self.net_classes else AutoModelForCausalLM
        load = partial(
            load_net,
            is_untrained=self.shape is not None,
            dtype=dtype,
            attention=available_attention(self.attention),
        )
        full_precision = [name for part, names in self.components.items() if part != "llm" for name in names]
        net = load(net_class, folder, quantization=quantization, full_precision_modules=full_precision)
        self._complete(net, load)
        module: nn.Module = net.requires_grad_(False)
        if self.gradient_checkpointing:
            net.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        return module

    def _complete(self, net: Any, load: Callable[..., Any]) -> None:
        """Set how replies end, and add a family's further parts, which `load` loads in the same dtype."""
        net.generation_config = greedy_config(net, end=self.codec().end)

    def image_features(self, net: nn.Module, batch: Batch) -> Tensor:
        """(image tokens of the whole batch, D), in the order in which the image tokens stand in the rows.

        A batch without images encodes one empty image and keeps none of its features. Where weights are sharded, a rank
        that did not run the tower would let the others wait forever.
        """
        model = base_model(net)
        if "pixel_values" in batch.vision:
            return self._encode_images(model, batch.vision)
        return self._encode_images(model, self._empty_image(model, batch.tokens_BT.device))[:0]

    def answer_logits(self, net: nn.Module, features: Tensor, batch: Batch) -> Tensor:
        """Logits (N, V) where `batch.target_mask`."""
        model = base_model(net)
        (llm,) = self.components["llm"]
        return target_logits(model, model.get_submodule(llm), features, batch)

    def _generate_inputs(self, batch: Batch) -> Mapping[str, Any]:
        """Arguments of the LLM's `generate` beside the embeddings and their mask."""
        return {}

    @torch.no_grad()
    def generate(self, net: nn.Module, batch: Batch, *, max_new_tokens: int, synced_gpus: bool) -> list[list[int]]:
        """New tokens of each row of a left-padded batch of prompts, without the end token."""
        model = base_model(net)
        return generate_replies(
            model,
            self.image_features(net, batch),
            batch,
            max_new_tokens=max_new_tokens,
            synced_gpus=synced_gpus,
            sampling=self.sampling,
            **self._generate_inputs(batch),
        )
