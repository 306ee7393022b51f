"""What do the codecs of all families share? How a dialogue is written, how a reply is read, what a user is given.

Shape suffixes: T tokens of a dialogue, R = 1 axis of positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, TEXT, Encoded

THIN = 200
"""How many times longer than wide a picture may be. Scaled by its short side, a strip would fill the memory."""

DAY = "26 Jul 2024"
"""The date that Llama 3.1's template states where it is told none; 3.2's states today's, another prompt every day."""

_MARK = "\ue000"


class Words:
    """A codec by its tokenizer, its image processor and the token that ends a reply."""

    tokenizer: PreTrainedTokenizerBase
    images: Any
    end: int

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply's tokens, up to its end token if that is among them."""
        ids = list(tokens)
        ids = ids[: ids.index(self.end)] if self.end in ids else ids
        text = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str), "one sequence decodes to one text"
        return text

    def save(self, folder: Path) -> None:
        """Tokenizer, chat template and image processor's configuration, as an adapter's user needs them."""
        self.tokenizer.save_pretrained(folder)
        self.images.save_pretrained(folder)


class OwnWords(Words):
    """A codec by any tokenizer and its chat template, which say themselves what the control tokens are.

    `vocabulary`: how many tokens the LLM has an embedding of. A dialogue of more than `max_tokens` is refused.
    """

    otherwise: ClassVar[str] = "or leave this dialogue out"
    """What else to do about a dialogue that is too long."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, vocabulary: int, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        added = {token.content for token in tokenizer.added_tokens_decoder.values()}
        self.control = {word for word in added | set(tokenizer.all_special_tokens) if len(word.strip()) > 1}
        forged = "|".join(map(re.escape, sorted(self.control))) or "(?!)"
        self._forged = re.compile(f"(?=(?:{forged}))(.)", re.DOTALL)
        self.end = self._end()
        pad = tokenizer.pad_token_id
        self.pad: int = pad if pad is not None and pad < vocabulary else self.end  # one that was added has no embedding

    def _message(self, role: str, text: str) -> dict[str, Any]:
        """A turn as the chat template wants it."""
        return {"role": role, "content": text}

    def _templated(self, messages: list[dict[str, Any]], *, name: str) -> str:
        """What the chat template writes of them, up to the reply. Raises ValueError where it refuses."""
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, date_string=DAY
            )
        except TemplateError as error:
            raise ValueError(f"dialogue {name!r}: the chat template refuses it ({error})") from error
        assert isinstance(text, str), "one dialogue becomes one text"
        return text

    def _harmless(self, text: str) -> str:
        """The text with control tokens broken up, so that a dataset's words cannot end a reply or forge an image."""
        return self._forged.sub("\\1\N{ZERO WIDTH SPACE}", text)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return ids

    def _answer(self, text: str) -> list[int]:
        return [*self._tokens(self._harmless(text)), self.end]

    def _pictures(self, dialogue: Dialogue) -> list[Image.Image]:
        pictures = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        for picture in pictures:
            if max(picture.size) > THIN * min(picture.size):
                raise ValueError(
                    f"dialogue {dialogue.id!r}: a picture of {picture.width} x {picture.height} pixels, wanted one at "
                    f"most {THIN} times as long as wide"
                )
        return pictures

    def _encoded(
        self, dialogue: Dialogue, tokens: list[int], *, image: list[int], vision: Mapping[str, Tensor], reply: bool
    ) -> Encoded:
        """The prompt's `tokens`, the image that each belongs to (-1: none), and the reply, which alone is labelled.

        Raises ValueError, with the dialogue's id, where that does not fit `max_tokens`: a text is never cut.
        """
        answer = self._answer(dialogue.reply) if reply else []
        image_T = torch.tensor(image + [-1] * len(answer))
        if len(image_T) > self.max_tokens:
            raise ValueError(
                f"dialogue {dialogue.id!r}: {len(image_T)} tokens, {int((image_T >= 0).sum())} of them its images', "
                f"wanted at most model.max_tokens={self.max_tokens}; raise it, {self.otherwise}"
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
            choices=tuple(tuple(self._answer(choice)) for choice in dialogue.choices),
        )

    def _end(self) -> int:
        """The token that ends a reply: the first control token behind an assistant's turn in the chat template, else
        the end of the text."""
        words, found = self.tokenizer, []
        if words.chat_template is not None:
            turns = [self._message("user", "?"), self._message("assistant", _MARK)]
            after = str(words.apply_chat_template(turns, tokenize=False)).rpartition(_MARK)[2]
            found = [t for t in self._tokens(after) if words.convert_ids_to_tokens(t) in self.control]
        end = found[0] if found else words.eos_token_id
        if end is None:
            raise ValueError(f"{words.name_or_path}: the tokenizer has no token that ends a text (eos_token)")
        return int(end)
