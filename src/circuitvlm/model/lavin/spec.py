"""Specify a LaVIN (arXiv 2305.15023): an LLM with the layout of Llama, a CLIP tower, and six tokens between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor
from transformers import CLIPVisionModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from circuitvlm.model.base.checkpoint_folder import locate
from circuitvlm.model.base.checkpoint_model import CheckpointModel
from circuitvlm.model.base.codec import check_picture_size
from circuitvlm.model.base.dialogue_codec import DialogueCodec
from circuitvlm.model.base.untrained import SMALL_LLM
from circuitvlm.model.lavin.network import add_tower, class_tokens
from circuitvlm.model.lavin.untrained import VISION, untrained_folder


@dataclass(kw_only=True, eq=False)
class Lavin(CheckpointModel):
    """An LLM (`weights`) and a CLIP tower (`vision`), each a folder or a hub name; or, untrained, both by a `shape`
    (lavin/untrained.py).

    prefix_tokens: the number of the tower's class tokens, at evenly spaced depths, that represent an image.
    prefix_width: the inner width of the two layers that map them to the LLM. resize: square (the whole picture) or own
    (as the tower's folder states; load_image_processor). chat_template: whether the LLM's own is used where it has
    one. A dialogue of more than max_tokens is refused.
    """

    vision: str | None
    prefix_tokens: int
    prefix_width: int
    resize: Literal["own", "square"]
    chat_template: bool

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vision": ("vision",),
        "projector": ("projector",),
        "llm": ("model",),
        "head": ("lm_head",),
    }
    blocks: ClassVar[tuple[str, ...]] = ("vision.encoder.layers", "model.layers")
    example: ClassVar[str] = "huggyllama/llama-7b"
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {
        **SMALL_LLM,
        "vision_hidden": 64,
        "vision_layers": 6,
        "vision_heads": 2,
        "image": 56,
        "patch": 14,
    }
    smoke_test_settings: ClassVar[Mapping[str, Any]] = {"vision": None, "prefix_width": 32, "resize": "own"}
    exempt: ClassVar[dict[str, str]] = {"shrinking": "an image has the same number of tokens, whatever its size"}

    def __post_init__(self) -> None:
        if not (self.weights is None) == (self.vision is None) != (self.shape is None):
            raise ValueError(
                f"model: expected either weights and vision, or shape, got weights={self.weights!r}, "
                f"vision={self.vision!r} and shape={self.shape!r}"
            )
        super().__post_init__()

    def smoke_test_model(self) -> Self:
        """The same settings on a very small untrained model, with no more prefix tokens than its tower has blocks."""
        return replace(
            super().smoke_test_model(), prefix_tokens=min(self.prefix_tokens, self.smoke_test_shape["vision_layers"])
        )

    @property
    def vision_folder(self) -> Path:
        """The folder of the tower's configuration and image processor.

        Raises FileNotFoundError that says what to do, and ValueError where the tower is not CLIP's.
        """
        if self.shape is not None:
            return self.folder / VISION
        return locate(
            str(self.vision),
            key="model.vision",
            example="openai/clip-vit-large-patch14",
            model_types=("clip", "clip_vision_model"),
        )

    @property
    def folders(self) -> Mapping[str, Path]:
        return {**super().folders, "vision": self.vision_folder}

    def codec(self) -> DialogueCodec:
        return DialogueCodec(
            folder=self.folder,
            image_processor=load_image_processor(self.vision_folder, resize=self.resize),
            chat_template=self.chat_template,
            image_tokens=self.prefix_tokens,
            max_tokens=self.max_tokens,
        )

    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        return untrained_folder(root, shape)

    def _complete(self, net: Any, load: Callable[..., Any]) -> None:
        super()._complete(net, load)
        tower = load(CLIPVisionModel, self.vision_folder)
        add_tower(net, tower, tokens=self.prefix_tokens, width=self.prefix_width)

    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        pixels = vision["pixel_values"].to(net.vision.embeddings.class_embedding.dtype)
        features: Tensor = net.projector(class_tokens(net.vision, pixels, tokens=self.prefix_tokens)).flatten(0, 1)
        return features

    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        side = net.vision.config.image_size
        return {"pixel_values": torch.zeros(1, 3, side, side, device=device)}


def load_image_processor(folder: Path, *, resize: Literal["own", "square"]) -> CLIPImageProcessorPil:
    """The tower's image processor in its PIL form, which needs no torchvision.

    own: as the folder states. OpenAI's CLIP scales the short side to the tower's size and cuts out the middle, so the
    ends of a long picture are lost. square: the whole picture, squeezed into the tower's square, as LaVIN does. Raises
    ValueError where the pictures would not have the tower's size.
    """
    config = json.loads((folder / "config.json").read_text())
    side = config.get("vision_config", config).get("image_size", 224)
    changes = {"size": {"height": side, "width": side}, "do_center_crop": False} if resize == "square" else {}
    processor: CLIPImageProcessorPil = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True, **changes)
    check_picture_size(processor, side, folder=folder, resize=resize, advice="run with model.resize=square")
    return processor
