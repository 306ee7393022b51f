"""How does a dialogue become the tokens of any LLM, and back? By its tokenizer, with places for each image's tokens.

Shape suffixes: T tokens of a dialogue, R = 1 axis of positions.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, TEXT, Encoded
from circuitvlm.model._loading import tokenizer
from circuitvlm.model._words import Words

THIN = 200
"""How many times longer than wide a picture may be. Scaled by its short side, a strip would fill the memory."""

DAY = "26 Jul 2024"
"""The date that Llama 3.1's template states where it is told none; 3.2's states today's, another prompt every day."""


class DialogueCodec(Words):
    """Dialogue <-> tokens, by the LLM's own chat template where it has one and `chat_template` is true; else plainly.

    Plain is LaVIN's layout without its words "Image:" and "Image: N/A": the token that begins a text, the prompt as it
    is, the reply, the token that ends it; turns are joined by a newline. Before the text of the turn that it belongs
    to, each image has `image_tokens` places. `images` is an image processor of transformers.
    """

    def __init__(
        self,
        *,
        folder: Path,
        images: Any,
        chat_template: bool,
        image_tokens: int,
        max_tokens: int,
    ) -> None:
        self.image_tokens = image_tokens
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer(folder, chat=False)
        if not chat_template:
            self.tokenizer.chat_template = None
        self.images = images
        words = {token.content for token in self.tokenizer.added_tokens_decoder.values()}
        words = {word for word in words | set(self.tokenizer.all_special_tokens) if len(word.strip()) > 1}
        self._control = re.compile(f"(?=(?:{'|'.join(map(re.escape, sorted(words))) or '(?!)'}))(.)", re.DOTALL)
        self.end = _end(self.tokenizer, words)
        pad, size = self.tokenizer.pad_token_id, json.loads((folder / "config.json").read_text())["vocab_size"]
        self.pad: int = pad if pad is not None and pad < size else self.end  # one that was added may have no embedding

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens`: an image has its number of tokens
        whatever its size, and a text is never cut.
        """
        tokens: list[int] = []
        image: list[int] = []
        for k, piece in enumerate(self._pieces(dialogue)):
            places = self.image_tokens if k else 0
            said = self._tokens(piece)
            if not k and self.tokenizer.chat_template is None and self.tokenizer.bos_token_id is not None:
                said = [self.tokenizer.bos_token_id, *said]
            tokens += [self.pad] * places + said
            image += [k - 1] * places + [-1] * len(said)
        answer = [*self._tokens(self._harmless(dialogue.reply)), self.end] if reply else []
        image_T = torch.tensor(image + [-1] * len(answer))
        labels_T = torch.tensor([IGNORE] * len(tokens) + answer)
        if len(image_T) > self.max_tokens:
            raise ValueError(
                f"dialogue {dialogue.id!r}: {len(image_T)} tokens, {int((image_T >= 0).sum())} of them its images', "
                f"wanted at most model.max_tokens={self.max_tokens}; raise it, or leave this dialogue out"
            )
        return Encoded(
            id=dialogue.id,
            task=dialogue.task,
            tokens_T=torch.tensor(tokens + answer),
            labels_T=labels_T,
            modality_T=torch.where(image_T >= 0, IMAGE, TEXT),
            image_T=image_T,
            positions_RT=torch.arange(len(image_T))[None],
            vision=self._see(dialogue),
            choices=tuple((*self._tokens(self._harmless(choice)), self.end) for choice in dialogue.choices),
        )

    def _pieces(self, dialogue: Dialogue) -> list[str]:
        """The prompt's text before the first image, and after each image."""
        texts = [self._harmless(turn.text) for turn in dialogue.prompt]
        mark = next(m for n in itertools.count() if not any((m := f"\ue000{n}\ue001") in text for text in texts))
        marked = [mark * len(turn.images) + text for turn, text in zip(dialogue.prompt, texts, strict=True)]
        if self.tokenizer.chat_template is None:
            return "\n".join(marked).split(mark)
        messages = [{"role": turn.role, "content": text} for turn, text in zip(dialogue.prompt, marked, strict=True)]
        try:
            whole = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, date_string=DAY
            )
        except TemplateError as error:
            raise ValueError(f"dialogue {dialogue.id!r}: the LLM's chat template refuses it ({error})") from error
        pieces: list[str] = whole.split(mark)
        wanted = sum(len(turn.images) for turn in dialogue.prompt)
        if len(pieces) != wanted + 1:
            raise ValueError(
                f"dialogue {dialogue.id!r}: the LLM's chat template leaves out {wanted + 1 - len(pieces)} of {wanted} "
                "images' turns; run with model.chat_template=false"
            )
        return pieces

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return ids

    def _harmless(self, text: str) -> str:
        """The text with control tokens broken up, so that a dataset's words cannot end a reply or forge a turn."""
        return self._control.sub("\\1\N{ZERO WIDTH SPACE}", text)

    def _see(self, dialogue: Dialogue) -> dict[str, Tensor]:
        pictures = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        for picture in pictures:
            if max(picture.size) > THIN * min(picture.size):
                raise ValueError(
                    f"dialogue {dialogue.id!r}: a picture of {picture.width} x {picture.height} pixels, wanted one at "
                    f"most {THIN} times as long as wide"
                )
        return dict(self.images(images=pictures, return_tensors="pt")) if pictures else {}


def _end(words: PreTrainedTokenizerBase, control: set[str]) -> int:
    """The token that ends a reply: the first control token behind an assistant's turn in the chat template, else the
    end of the text."""
    found: list[int] = []
    if words.chat_template is not None:
        mark = "\ue000"
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}]
        after = str(words.apply_chat_template(turns, tokenize=False)).rpartition(mark)[2]
        ids = words(after, add_special_tokens=False)["input_ids"]
        found = [token for token in ids if words.convert_ids_to_tokens(token) in control]
    end = found[0] if found else words.eos_token_id
    if end is None:
        raise ValueError(f"{words.name_or_path}: the tokenizer has no token that ends a text (eos_token)")
    return int(end)
