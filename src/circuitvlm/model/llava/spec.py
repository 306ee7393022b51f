"""Specify a LLaVA-1.5 (arXiv 2310.03744) or a LLaVA-NeXT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaNextForConditionalGeneration

from circuitvlm.model.base.checkpoint_model import CheckpointModel
from circuitvlm.model.base.untrained import SMALL_LLM
from circuitvlm.model.llava.codec import EXAMPLE, LlavaCodec
from circuitvlm.model.llava.tiles import TileLayout
from circuitvlm.model.llava.untrained import untrained_folder


@dataclass(kw_only=True, eq=False)
class Llava(CheckpointModel):
    """A LLaVA-1.5 by its checkpoint or, untrained, by its shape (llava/untrained.py).

    resize: pad (the whole picture on a square, as in LLaVA-1.5's training), own (as the folder states: the hub's
    folders cut out the middle) or square (the whole picture, squeezed; llava/codec.py). A dialogue of more than
    max_tokens is refused.
    """

    resize: Literal["own", "pad", "square"]

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vision": ("model.vision_tower",),
        "projector": ("model.multi_modal_projector",),
        "llm": ("model.language_model",),
        "head": ("lm_head",),
    }
    blocks: ClassVar[tuple[str, ...]] = ("model.vision_tower.encoder.layers", "model.language_model.layers")
    example: ClassVar[str] = EXAMPLE
    net_classes: ClassVar[Mapping[str, Any]] = {"llava": LlavaForConditionalGeneration}
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {
        **SMALL_LLM,
        "vision_hidden": 64,
        "vision_layers": 3,
        "vision_heads": 2,
        "image": 56,
        "patch": 14,
    }
    smoke_test_settings: ClassVar[Mapping[str, Any]] = {"resize": "own"}
    exempt: ClassVar[dict[str, str]] = {"shrinking": "the checkpoint fixes how many tokens an image has"}

    def codec(self) -> LlavaCodec:
        return LlavaCodec(folder=self.folder, resize=self.resize, max_tokens=self.max_tokens)

    def _untrained_folder(self, root: Path, shape: Mapping[str, Any]) -> Path:
        return untrained_folder(root, shape)

    def _complete(self, net: Any, load: Callable[..., Any]) -> None:
        super()._complete(net, load)
        remove_unread_blocks(net)

    def _encode_images(self, net: Any, vision: Mapping[str, Tensor]) -> Tensor:
        dtype = net.model.vision_tower.embeddings.patch_embedding.weight.dtype
        tensors = {**vision, "pixel_values": vision["pixel_values"].to(dtype)}
        return torch.cat(tuple(net.model.get_image_features(**tensors).pooler_output))

    def _empty_image(self, net: Any, device: torch.device) -> Mapping[str, Tensor]:
        layout = TileLayout.from_config(net.config)
        size = (layout.side, layout.side)
        tensors = {"pixel_values": torch.zeros(layout.tile_count(size), 3, *size, device=device)}
        if layout.resolutions is not None:
            tensors["image_sizes"] = torch.tensor([size], device=device)
        return tensors


class LlavaNext(Llava):
    """A LLaVA-NeXT (LLaVA-1.6) with the settings of a Llava; it also encodes a picture's parts, so `resize` is own.

    Its weight for the end of a line of image tokens is in no module and is not trained.
    """

    example: ClassVar[str] = "llava-hf/llava-v1.6-vicuna-7b-hf"
    net_classes: ClassVar[Mapping[str, Any]] = {"llava_next": LlavaNextForConditionalGeneration}
    smoke_test_shape: ClassVar[Mapping[str, Any]] = {
        **Llava.smoke_test_shape,
        "grids": [[56, 112], [112, 56], [112, 112]],
    }
    exempt: ClassVar[dict[str, str]] = {
        **Llava.exempt,
        "components": "the weight of an end of line (image_newline) belongs to the net itself, to no module",
        "pixels": "the tiles of all pictures are concatenated; transformers' own processor pads instead",
    }


def remove_unread_blocks(net: Any) -> None:
    """Remove the tower's blocks after the last one that a feature is read from, and the norm after them.

    Their weights could not be trained, and DDP would wait for their gradients forever.
    """
    config, tower = net.config, net.model.vision_tower
    state_count = len(tower.encoder.layers) + 1  # the first is the input of the first block
    layer = config.vision_feature_layer
    layers = [number % state_count for number in ([layer] if isinstance(layer, int) else layer)]
    tower.encoder.layers = tower.encoder.layers[: max(layers)]
    tower.post_layernorm = nn.Identity()
    tower.config.num_hidden_layers = config.vision_config.num_hidden_layers = max(layers)
    config.vision_feature_layer = layers[0] if isinstance(layer, int) else layers
