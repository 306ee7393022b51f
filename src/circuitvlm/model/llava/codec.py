"""How does a dialogue become a LLaVA's tokens, and back? By the checkpoint's own template, tokenizer, processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import Encoded
from circuitvlm.model.base.codec import OwnWords
from circuitvlm.model.base.loading import chat_template, tokenizer
from circuitvlm.model.llava.tiles import Eye

LARGE = 4096
"""Pixels: a longer picture is shrunk to this before margins make it a square, which could fill the memory."""


class LlavaCodec(OwnWords):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form. The template writes one image token for each
    image, which is repeated as often as the tower gives features of it.
    """

    def __init__(self, *, folder: Path, resize: Literal["own", "pad", "square"], max_tokens: int) -> None:
        words = tokenizer(folder, chat=False)
        words.chat_template = chat_template(folder, words, like="llava-hf/llava-1.5-7b-hf")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(words, vocabulary=config.text_config.vocab_size, max_tokens=max_tokens)
        self.eye = Eye.of(config)
        self.images = images(folder, resize=resize, eye=self.eye)
        self.image_token: int = config.image_token_id
        if words.convert_ids_to_tokens(self.image_token) not in self.control:
            raise ValueError(f"{folder}: its tokenizer has no image token {self.image_token}, as config.json wants it")

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens`: the checkpoint states how many
        tokens an image has, and a text is never cut.
        """
        vision, counts = self._see(dialogue)
        tokens, image = self._expand(self._prompt_tokens(dialogue), counts, name=dialogue.id)
        return self._encoded(dialogue, tokens, image=image, vision=vision, reply=reply)

    def _message(self, role: str, text: str, *, images: int = 0) -> dict[str, Any]:
        return {"role": role, "content": [*({"type": "image"} for _ in range(images)), {"type": "text", "text": text}]}

    def _prompt_tokens(self, dialogue: Dialogue) -> list[int]:
        turns = [self._message(t.role, self._harmless(t.text), images=len(t.images)) for t in dialogue.prompt]
        text = self._templated(turns, name=dialogue.id)
        begins = bool(self.tokenizer.bos_token) and text.startswith(str(self.tokenizer.bos_token))
        ids: list[int] = self.tokenizer(text, add_special_tokens=not begins)["input_ids"]
        return ids

    def _expand(self, prompt: list[int], counts: list[int], *, name: str) -> tuple[list[int], list[int]]:
        """The prompt with each image's one token repeated, and the image that each token belongs to."""
        found = prompt.count(self.image_token)
        if found != len(counts):
            raise ValueError(
                f"dialogue {name!r}: the checkpoint's template writes {found} image tokens for {len(counts)} images; "
                "does it leave out the images of some turns?"
            )
        tokens: list[int] = []
        image: list[int] = []
        seen = 0
        for token in prompt:
            placed = token == self.image_token
            times = counts[seen] if placed else 1
            tokens += [token] * times
            image += [seen if placed else -1] * times
            seen += placed
        return tokens, image

    def _see(self, dialogue: Dialogue) -> tuple[dict[str, Tensor], list[int]]:
        """The processor's tensors, of all squares one after the other, and how many tokens each image has."""
        pictures = self._pictures(dialogue)
        if not pictures:
            return {}, []
        if getattr(self.images, "do_pad", False) and self.eye.pages is None:
            for picture in pictures:
                picture.thumbnail((LARGE, LARGE))
        sizes = [(picture.height, picture.width) for picture in pictures]
        made = dict(self.images(images=pictures, return_tensors="pt"))
        if self.eye.pages is not None:  # the processor fills up to the most squares
            squares = zip(made["pixel_values"], sizes, strict=True)
            made["pixel_values"] = torch.cat([each[: self.eye.squares(size)] for each, size in squares])
        return made, [self.eye.tokens(size) for size in sizes]


def images(folder: Path, *, resize: Literal["own", "pad", "square"], eye: Eye) -> Any:
    """The checkpoint's image processor in its PIL form, which needs no torchvision.

    own: as the folder says; the hub's LLaVA-1.5 scales the short side to the tower's and cuts out the middle, so that
    the ends of a receipt are never seen. pad: the whole picture on a square of the mean colour, as LLaVA-1.5 was
    trained. square: the whole picture, squeezed into the square. Raises ValueError where the pictures would not have
    the tower's size.
    """
    side = {"height": eye.side, "width": eye.side}
    if resize != "own" and eye.pages is not None:
        raise ValueError(f"model.resize: came {resize}, wanted own: a LLaVA-NeXT lays out the whole picture itself")
    if resize == "own":
        made = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    else:
        whole = {"size": side, "do_center_crop": False, "do_pad": resize == "pad"}
        made = LlavaImageProcessorPil.from_pretrained(folder, local_files_only=True, **whole)
    height, width = made(images=[Image.new("RGB", (3, 2))], return_tensors="pt")["pixel_values"].shape[-2:]
    if (height, width) != (eye.side, eye.side):
        mended = "run with model.resize=pad" if eye.pages is None else "its preprocessor_config.json is another model's"
        raise ValueError(
            f"model.resize={resize}: {folder} makes pictures of {width} x {height}, its tower wants {eye.side} x "
            f"{eye.side}; {mended}"
        )
    return made
