"""How does a dialogue become a LLaVA's tokens, and back? By the checkpoint's own template, tokenizer, processor.

Shape suffixes: T tokens of a dialogue, R = 1 axis of positions.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, PreTrainedTokenizerBase
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, TEXT, Encoded
from circuitvlm.model._dialogue_codec import THIN
from circuitvlm.model._llava_eye import Eye
from circuitvlm.model._loading import tokenizer
from circuitvlm.model._words import Words

LARGE = 4096
"""Pixels: a longer picture is shrunk to this before margins make it a square, which could fill the memory."""


class LlavaCodec(Words):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form. The template writes one image token for each
    image, which is repeated as often as the tower gives features of it.
    """

    def __init__(self, *, folder: Path, resize: Literal["own", "pad", "square"], max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer(folder, chat=False)
        self.tokenizer.chat_template = chat_template(folder, self.tokenizer)
        config = AutoConfig.from_pretrained(folder)
        self.eye = Eye.of(config)
        self.images = images(folder, resize=resize, eye=self.eye)
        words = {token.content for token in self.tokenizer.added_tokens_decoder.values()}
        words = {word for word in words | set(self.tokenizer.all_special_tokens) if len(word.strip()) > 1}
        self._control = re.compile(f"(?=(?:{'|'.join(map(re.escape, sorted(words)))}))(.)", re.DOTALL)
        self.image_token: int = config.image_token_id
        if self.tokenizer.convert_ids_to_tokens(self.image_token) not in words:
            raise ValueError(f"{folder}: its tokenizer has no image token {self.image_token}, as config.json wants it")
        self.end = _end(self.tokenizer, words)
        pad = self.tokenizer.pad_token_id
        there = pad is not None and pad < config.text_config.vocab_size  # one that was added may have no embedding
        self.pad: int = pad if there else self.end

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens`: the checkpoint states how many
        tokens an image has, and a text is never cut.
        """
        vision, counts = self._see(dialogue)
        tokens, image = self._expand(self._prompt_tokens(dialogue), counts, name=dialogue.id)
        answer = [*self._plain_tokens(dialogue.reply), self.end] if reply else []
        image_T = torch.tensor(image + [-1] * len(answer))
        if len(image_T) > self.max_tokens:
            raise ValueError(
                f"dialogue {dialogue.id!r}: {len(image_T)} tokens, {sum(counts)} of them its images', wanted at most "
                f"model.max_tokens={self.max_tokens}; raise it, or leave this dialogue out"
            )
        return Encoded(
            id=dialogue.id,
            task=dialogue.task,
            tokens_T=torch.tensor(tokens + answer),
            labels_T=torch.tensor([IGNORE] * len(tokens) + answer),
            modality_T=torch.where(image_T >= 0, IMAGE, TEXT),
            image_T=image_T,
            positions_RT=torch.arange(len(image_T))[None],
            vision=vision,
            choices=tuple((*self._plain_tokens(choice), self.end) for choice in dialogue.choices),
        )

    def _prompt_tokens(self, dialogue: Dialogue) -> list[int]:
        messages = [_message(turn.role, self._harmless(turn.text), images=len(turn.images)) for turn in dialogue.prompt]
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise ValueError(f"dialogue {dialogue.id!r}: the checkpoint's template refuses it ({error})") from error
        assert isinstance(text, str), "one dialogue becomes one text"
        begins = bool(self.tokenizer.bos_token) and text.startswith(str(self.tokenizer.bos_token))
        ids: list[int] = self.tokenizer(text, add_special_tokens=not begins)["input_ids"]
        return ids

    def _plain_tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(self._harmless(text), add_special_tokens=False)["input_ids"] if text else []
        return ids

    def _harmless(self, text: str) -> str:
        """The text with control tokens broken up, so that a dataset's words cannot end a reply or forge an image."""
        return self._control.sub("\\1\N{ZERO WIDTH SPACE}", text)

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
        pictures = [self._bounded(picture.open(), dialogue.id) for turn in dialogue.prompt for picture in turn.images]
        if not pictures:
            return {}, []
        sizes = [(picture.height, picture.width) for picture in pictures]
        made = dict(self.images(images=pictures, return_tensors="pt"))
        if self.eye.pages is not None:  # the processor fills up to the most squares
            squares = zip(made["pixel_values"], sizes, strict=True)
            made["pixel_values"] = torch.cat([each[: self.eye.squares(size)] for each, size in squares])
        return made, [self.eye.tokens(size) for size in sizes]

    def _bounded(self, picture: Image.Image, name: str) -> Image.Image:
        if max(picture.size) > THIN * min(picture.size):
            raise ValueError(
                f"dialogue {name!r}: a picture of {picture.width} x {picture.height} pixels, wanted one at most {THIN} "
                "times as long as wide"
            )
        if getattr(self.images, "do_pad", False) and self.eye.pages is None:
            picture.thumbnail((LARGE, LARGE))
        return picture


def _message(role: str, text: str, *, images: int) -> dict[str, Any]:
    return {"role": role, "content": [*({"type": "image"} for _ in range(images)), {"type": "text", "text": text}]}


def chat_template(folder: Path, words: PreTrainedTokenizerBase) -> str:
    """The processor's chat template, which knows images, where its file or the tokenizer's own is.

    Older checkpoints hold it in chat_template.json or processor_config.json, where a tokenizer does not look; the
    tokenizer's may then be the LLM's, for text alone. Raises ValueError where there is none.
    """
    if (folder / "chat_template.jinja").is_file():  # the tokenizer has read it
        return str(words.chat_template)
    for name in ("chat_template.json", "processor_config.json"):
        path = folder / name
        stated = json.loads(path.read_text(encoding="utf-8")).get("chat_template") if path.is_file() else None
        if isinstance(stated, str):
            return stated
    if not words.chat_template:
        raise ValueError(
            f"{folder}: neither the processor nor the tokenizer has a chat template (chat_template.jinja, "
            "chat_template.json, processor_config.json); the hub's folders such as llava-hf/llava-1.5-7b-hf have one"
        )
    return str(words.chat_template)


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
        raise ValueError(
            f"model.resize={resize}: {folder} makes pictures of {width} x {height}, its tower wants {eye.side} x "
            f"{eye.side}; run with model.resize=pad"
        )
    return made


def _end(words: PreTrainedTokenizerBase, control: set[str]) -> int:
    """The token that ends a reply: the first control token behind an assistant's turn in the chat template, else the
    end of the text."""
    mark = "\ue000"
    turns = [_message("user", "?", images=0), _message("assistant", mark, images=0)]
    after = str(words.apply_chat_template(turns, tokenize=False)).rpartition(mark)[2]
    ids: list[int] = words(after, add_special_tokens=False)["input_ids"]
    found = [token for token in ids if words.convert_ids_to_tokens(token) in control]
    end = found[0] if found else words.eos_token_id
    if end is None:
        raise ValueError(f"{words.name_or_path}: the tokenizer has no token that ends a text (eos_token)")
    return int(end)
