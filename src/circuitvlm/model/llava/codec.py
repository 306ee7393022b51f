"""Convert dialogues to the tokens of a LLaVA and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from circuitvlm.core.record import Dialogue
from circuitvlm.model.base.checkpoint_folder import read_chat_template
from circuitvlm.model.base.codec import Prompt, check_picture_size
from circuitvlm.model.base.image_token_codec import ImageTokenCodec
from circuitvlm.model.llava.tiles import TileLayout

EXAMPLE = "llava-hf/llava-1.5-7b-hf"

MAX_SIDE = 4096
"""Pixels. A longer picture is shrunk to this before margins make it a square, which might not fit in memory."""


class LlavaCodec(ImageTokenCodec):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form. The template writes one image token for each
    image, which is repeated for each feature that the tower gives of it.
    """

    def __init__(self, *, folder: Path, resize: Literal["own", "pad", "square"], max_tokens: int) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.chat_template = read_chat_template(folder, tokenizer, example=EXAMPLE)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(tokenizer, config, max_tokens=max_tokens)
        self.layout = TileLayout.from_config(config)
        self.image_processor = load_image_processor(folder, resize=resize, layout=self.layout)

    @property
    def processor_settings(self) -> Mapping[str, Any]:
        """What transformers counts a picture's tokens by: the tower has one class token beside the patches."""
        return {
            "patch_size": self.layout.patch,
            "num_additional_image_tokens": 1,
            "vision_feature_select_strategy": "full" if self.layout.keeps_class_token else "default",
            "image_token": self.image_word,
        }

    def _encode_prompt(self, dialogue: Dialogue) -> Prompt:
        """The checkpoint determines how many tokens an image has."""
        vision, counts = self._encode_pictures(dialogue)
        prompt = self._prompt_tokens(self._prompt_text(dialogue))
        return Prompt(*self._repeat_image_tokens(prompt, counts), vision)

    def _encode_pictures(self, dialogue: Dialogue) -> tuple[dict[str, Tensor], list[int]]:
        """The processor's tensors, with the tiles of all pictures concatenated, and each picture's number of tokens."""
        pictures = self._open_pictures(dialogue)
        if not pictures:
            return {}, []
        if getattr(self.image_processor, "do_pad", False) and self.layout.resolutions is None:
            for picture in pictures:
                picture.thumbnail((MAX_SIDE, MAX_SIDE))
        sizes = [(picture.height, picture.width) for picture in pictures]
        vision = dict(self.image_processor(images=pictures, return_tensors="pt"))
        if self.layout.resolutions is not None:  # the processor pads to the largest number of tiles
            tiles = zip(vision["pixel_values"], sizes, strict=True)
            vision["pixel_values"] = torch.cat([picture[: self.layout.tile_count(size)] for picture, size in tiles])
        return vision, [self.layout.token_count(size) for size in sizes]


def load_image_processor(folder: Path, *, resize: Literal["own", "pad", "square"], layout: TileLayout) -> Any:
    """The checkpoint's image processor in its PIL form, which needs no torchvision.

    own: as the folder states. The hub's LLaVA-1.5 scales the short side to the tower's size and cuts out the middle, so
    the ends of a receipt are lost. pad: the whole picture on a square of the mean colour, as in LLaVA-1.5's training.
    square: the whole picture, squeezed into the square. Raises ValueError where the pictures would not have the tower's
    size.
    """
    if resize != "own" and layout.resolutions is not None:
        raise ValueError(
            f"model.resize: expected own, since a LLaVA-NeXT resizes pictures itself, got {resize!r}; run with "
            "model.resize=own"
        )
    if resize == "own":
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    else:
        size = {"height": layout.side, "width": layout.side}
        changes = {"size": size, "do_center_crop": False, "do_pad": resize == "pad"}
        processor = LlavaImageProcessorPil.from_pretrained(folder, local_files_only=True, **changes)
    advice = "run with model.resize=pad" if layout.resolutions is None else "the file is another model's"
    check_picture_size(processor, layout.side, folder=folder, resize=resize, advice=advice)
    return processor
