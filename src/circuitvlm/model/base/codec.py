"""Convert dialogues to tokens and back, by the tokenizer and chat template of a checkpoint.

Shape suffixes: T tokens of a dialogue, R position axes.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, TEXT, Encoded
from circuitvlm.model.base.chat_template import ChatTemplateError, plain_tokens, render

MAX_ASPECT_RATIO = 200
"""The largest allowed ratio of a picture's long side to its short side. A longer strip, scaled by its short side, would
not fit in memory."""

TEMPLATE_DATE = "26 Jul 2024"
"""The date for chat templates that state one, so that a prompt is the same every day. It is the default of Llama 3.1's
template; the default of Llama 3.2's template is the current date."""

REPLY_MARK = "\ue000"
"""A private-use character in place of a reply, which shows what a chat template writes around the reply."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of a prompt, the index of the image that each belongs to (-1: text), and the tensors of its images.

    `shrunk_images`: the number of images that were shrunk to fit the bound of tokens.
    """

    tokens: list[int]
    image_index: list[int]
    vision: Mapping[str, Tensor]
    shrunk_images: int = 0


class CheckpointCodec(ABC):
    """A codec with the tokenizer, chat template and image processor of a checkpoint.

    The tokenizer and its template define the control tokens. A dialogue of more than `max_tokens` is refused.
    """

    image_processor: Any
    length_advice: ClassVar[str] = "or leave this dialogue out"
    """The second thing to do about a dialogue that is too long; the first is to raise the bound."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: Any, *, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        added_words = {token.content for token in tokenizer.added_tokens_decoder.values()}
        self.control_words = {w for w in added_words | set(tokenizer.all_special_tokens) if len(w.strip()) > 1}
        pattern = "|".join(map(re.escape, sorted(self.control_words))) or "(?!)"
        self._control_start = re.compile(f"(?=(?:{pattern}))(.)", re.DOTALL)
        self.end = self._end_token()
        pad = tokenizer.pad_token_id
        has_embedding = pad is not None and pad < config.get_text_config().vocab_size  # one that was added has none
        self.pad: int = pad if has_embedding else self.end

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Encode the prompt and, with `reply`, the expected reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where the dialogue does not fit `max_tokens`. A text is never cut.
        """
        answer = self._answer_tokens(dialogue.reply) if reply else []
        prompt = self._encode_prompt(dialogue)
        image_T = torch.tensor(prompt.image_index + [-1] * len(answer))
        if len(image_T) > self.max_tokens:
            raise ValueError(
                f"dialogue {dialogue.id!r}: expected at most model.max_tokens={self.max_tokens}, got {len(image_T)} "
                f"tokens, {int((image_T >= 0).sum())} of them image tokens; raise model.max_tokens, "
                f"{self.length_advice}"
            )
        modality_T = torch.where(image_T >= 0, IMAGE, TEXT)
        return Encoded(
            id=dialogue.id,
            task=dialogue.task,
            tokens_T=torch.tensor(prompt.tokens + answer),
            labels_T=torch.tensor([IGNORE] * len(prompt.tokens) + answer),
            modality_T=modality_T,
            image_T=image_T,
            positions_RT=self._positions(modality_T, prompt.vision),
            vision=prompt.vision,
            choices=tuple(tuple(self._answer_tokens(choice)) for choice in dialogue.choices),
            shrunk_images=prompt.shrunk_images,
        )

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply's tokens, up to its end token if it has one."""
        ids = list(tokens)
        ids = ids[: ids.index(self.end)] if self.end in ids else ids
        text = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str), "one sequence decodes to one text"
        return text

    @property
    def processor_settings(self) -> Mapping[str, Any]:
        """Settings of transformers' own processor of the family, beside its tokenizer and image processor."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the tokenizer, the chat template, and the settings of the image processor and of the processor.

        Transformers' `AutoProcessor` loads the folder, where `config.json` is added.
        """
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(folder)
        if self.processor_settings:
            (folder / "processor_config.json").write_text(json.dumps(self.processor_settings, indent=2) + "\n")

    @abstractmethod
    def _encode_prompt(self, dialogue: Dialogue) -> Prompt:
        """Encode the prompt, which does not depend on the reply."""

    @abstractmethod
    def _message(self, role: str, text: str, *, images: int = 0) -> dict[str, Any]:
        """A turn in the form that the chat template expects."""

    def _positions(self, modality_T: Tensor, vision: Mapping[str, Tensor]) -> Tensor:
        """(R, T): the position of each token; R is 1 here."""
        return torch.arange(len(modality_T))[None]

    def _apply_template(self, messages: list[dict[str, Any]], *, name: str) -> str:
        """The text that the chat template makes of a prompt. Raises ValueError where the template refuses it."""
        try:
            return self._render(messages, add_generation_prompt=True)
        except ChatTemplateError as error:
            raise ValueError(
                f"dialogue {name!r}: expected turns that the chat template accepts, got {error}; leave this dialogue "
                "out, or give a checkpoint with another template"
            ) from error

    def _render(self, messages: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        return render(
            self.tokenizer.get_chat_template(),
            messages,
            add_generation_prompt=add_generation_prompt,
            date_string=TEMPLATE_DATE,
            **plain_tokens(self.tokenizer.special_tokens_map),
        )

    def _break_control_words(self, text: str) -> str:
        """The text with control words broken up, so that no text of a data set ends a reply or forges an image."""
        return self._control_start.sub("\\1\N{ZERO WIDTH SPACE}", text)

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return ids

    def _answer_tokens(self, text: str) -> list[int]:
        return [*self._tokenize(self._break_control_words(text)), self.end]

    def _open_pictures(self, dialogue: Dialogue) -> list[Image.Image]:
        """The pictures of all turns. Raises ValueError for a picture that is too long and thin."""
        pictures = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        for picture in pictures:
            if max(picture.size) > MAX_ASPECT_RATIO * min(picture.size):
                raise ValueError(
                    f"dialogue {dialogue.id!r}: expected pictures at most {MAX_ASPECT_RATIO} times as long as wide, "
                    f"got one of {picture.width} x {picture.height} pixels; crop it, or leave this dialogue out"
                )
        return pictures

    def _end_token(self) -> int:
        """The first control token after an assistant's turn in the chat template, else the tokenizer's eos_token."""
        tokenizer = self.tokenizer
        end = tokenizer.eos_token_id
        if tokenizer.chat_template is not None:
            turns = [self._message("user", "?"), self._message("assistant", REPLY_MARK)]
            try:
                suffix = self._render(turns, add_generation_prompt=False).rpartition(REPLY_MARK)[2]
            except ChatTemplateError as error:
                raise ValueError(
                    f"{tokenizer.name_or_path}: expected a chat template that accepts a question and a reply, got "
                    f"{error}; give a checkpoint with another template"
                ) from error
            ids = self._tokenize(suffix)
            end = next((i for i in ids if tokenizer.convert_ids_to_tokens(i) in self.control_words), end)
        if end is None:
            raise ValueError(
                f"{tokenizer.name_or_path}: expected a tokenizer with a token that ends a text (eos_token), got "
                f"{tokenizer.eos_token!r}; set eos_token in its tokenizer_config.json"
            )
        return int(end)


def check_picture_size(image_processor: Any, side: int, *, folder: Path, resize: str, advice: str) -> None:
    """Raise ValueError, with the advice, unless the processor makes pictures of `side` x `side` pixels."""
    pixels = image_processor(images=[Image.new("RGB", (3, 2))], return_tensors="pt")["pixel_values"]
    height, width = pixels.shape[-2:]
    if (height, width) != (side, side):
        raise ValueError(
            f"model.resize={resize}: {folder}: expected pictures of {side} x {side} pixels, as its vision tower reads "
            f"them, got {width} x {height} from its preprocessor_config.json; {advice}"
        )
