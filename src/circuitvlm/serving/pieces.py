"""What of a text that is still growing has not been passed on yet?"""

from __future__ import annotations

from collections.abc import Callable

Hear = Callable[[str], None]
"""Who hears a reply, piece by piece."""

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer gives for a part of a character."""


class Pieces:
    """Passes on a text that grows, without what was passed on before."""

    def __init__(self, hear: Hear) -> None:
        self.hear = hear
        self.heard = ""

    def so_far(self, text: str) -> None:
        """The text as far as it has come; a character that may yet become another one waits."""
        self._pass(text.rstrip(UNFINISHED))

    def end(self, text: str) -> None:
        """The whole text; where it is not what was heard, it is said again on a line of its own."""
        if not text.startswith(self.heard):
            self.hear("\n")
            self.heard = ""
        self._pass(text)

    def _pass(self, text: str) -> None:
        if text.startswith(self.heard) and text != self.heard:
            self.hear(text[len(self.heard) :])
            self.heard = text
