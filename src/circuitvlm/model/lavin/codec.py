"""How does a dialogue become LaVIN's tokens, and back? As any LLM's, with its CLIP tower's own pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from circuitvlm.model.base.dialogue_codec import DialogueCodec


class LavinCodec(DialogueCodec):
    """Dialogue <-> tokens, as DialogueCodec says, with pictures for the tower in the folder `vision`."""

    def __init__(
        self,
        *,
        folder: Path,
        vision: Path,
        resize: Literal["own", "square"],
        chat_template: bool,
        image_tokens: int,
        max_tokens: int,
    ) -> None:
        super().__init__(
            folder=folder,
            images=images(vision, resize=resize),
            chat_template=chat_template,
            image_tokens=image_tokens,
            max_tokens=max_tokens,
        )


def images(folder: Path, *, resize: Literal["own", "square"]) -> CLIPImageProcessorPil:
    """The tower's image processor in its PIL form, which needs no torchvision.

    own: as the folder says; OpenAI's CLIP scales the short side to the tower's and cuts out the middle, so that the
    ends of a long picture are never seen. square: the whole picture, squeezed into the tower's square, as LaVIN does.
    Raises ValueError where the pictures would not have the tower's size.
    """
    config = json.loads((folder / "config.json").read_text())
    side = config.get("vision_config", config).get("image_size", 224)
    square = {"size": {"height": side, "width": side}, "do_center_crop": False} if resize == "square" else {}
    made: CLIPImageProcessorPil = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True, **square)
    height, width = made(images=[Image.new("RGB", (3, 2))], return_tensors="pt")["pixel_values"].shape[-2:]
    if (height, width) != (side, side):
        raise ValueError(
            f"model.resize={resize}: {folder} makes pictures of {width} x {height}, its tower wants {side} x {side}; "
            "run with model.resize=square"
        )
    return made
