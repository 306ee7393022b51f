"""What is asked, and how is an answer read? Open text that no verifier covers: graded by exact match, and apart."""

from __future__ import annotations

from circuitvlm.core.record import Example
from circuitvlm.task._asking import Asking


class FreeText(Asking):
    """An answer in words; case, spaces and a final full stop do not count."""

    kind = "open"

    def read(self, text: str) -> str | None:
        return " ".join(text.casefold().split()).rstrip(".") or None

    def truth(self, example: Example) -> str | None:
        return self.read(self.fact(example, "answer"))
