"""What is asked, and how is an answer read? What a drawing shows: how many, how large, whether two are connected."""

from __future__ import annotations

import re

from circuitvlm.circuit.judge.answer import Truth
from circuitvlm.core.record import Example
from circuitvlm.task._asking import Asking

_SPELLED = "zero one two three four five six seven eight nine ten eleven twelve"
_WORDS = _SPELLED.split()
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.I)
_YES_NO = re.compile(r"\b(yes|no|true|false)\b", re.I)
_LONGEST = 2000


class Perception(Asking):
    """A count, a value such as `4.7 kOhm`, or yes or no."""

    kind = "perception"

    def read(self, text: str) -> str | None:
        """The text with number words as digits; yes or no where it says one of them, the first that it says."""
        text = text[:_LONGEST].strip()
        if found := _YES_NO.search(text):
            return "yes" if found[1].lower() in ("yes", "true") else "no"
        return _NUMBER_WORD.sub(lambda word: str(_WORDS.index(word[0].lower())), text) or None

    def truth(self, example: Example) -> Truth:
        return Truth(answer=self.fact(example, "answer"))
