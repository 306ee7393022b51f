"""What do the codecs of all families share? How a reply's tokens are read, and what an adapter's user is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase


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
