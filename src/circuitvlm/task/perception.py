"""Ask what a drawing shows: a count, a value, or whether two nodes are connected."""

from __future__ import annotations

import re

from circuitvlm.task._question import QuestionTask

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.I)
_YES_NO = re.compile(r"\b(yes|no|true|false)\b", re.I)
_MAX_CHARACTERS = 2000


class Perception(QuestionTask):
    """A count, a value such as `4.7 kOhm`, or yes or no."""

    kind = "perception"

    def read(self, text: str) -> str | None:
        """The first yes or no of the text; without one, the text with number words as digits."""
        text = text[:_MAX_CHARACTERS].strip()
        if match := _YES_NO.search(text):
            return "yes" if match[1].lower() in ("yes", "true") else "no"
        return _NUMBER_WORD.sub(lambda word: str(_WORDS.index(word[0].lower())), text) or None
