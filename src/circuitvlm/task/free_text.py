"""Ask an open question, graded by exact match."""

from __future__ import annotations

from circuitvlm.core.record import Example
from circuitvlm.task._question import QuestionTask


class FreeText(QuestionTask):
    """An answer in words; case, spaces and a final full stop do not count."""

    kind = "open"

    def read(self, text: str) -> str | None:
        """The text without differences of case, spaces and a final full stop."""
        return " ".join(text.casefold().split()).rstrip(".") or None

    def truth(self, example: Example) -> str | None:
        return self.read(self.text_fact(example, "answer"))
