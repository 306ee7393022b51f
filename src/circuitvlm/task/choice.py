"""What is asked, and how is an answer read? One of several options, by its letter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task._asking import Asking

LETTERS = "ABCDEFGH"
_SAID = re.compile(r"(?:answer|option|choice)\s*(?:is|:|=)?\s*[*\s(\[]*([A-H])(?![A-Za-z'])", re.I)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*\(?([A-H])\b")
_ALONE = re.compile(r"(?<![A-Za-z'])([A-H])(?![A-Za-z'])")
_LONGEST = 20_000


class Choice(Asking):
    """A question with `facts["options"]`, a list of texts; the answer is a letter from A on.

    Options that the question does not list itself are written below it.
    """

    kind = "choice"

    def ask(self, example: Example) -> Dialogue:
        asked = super().ask(example)
        (turn,) = asked.prompt
        missing = [option for option in self.options(example) if option not in turn.text]
        if not missing:
            return asked
        listed = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, self.options(example), strict=False))
        told = Turn(role=turn.role, text=f"{turn.text}\n{listed}\nAnswer with the letter.", images=turn.images)
        return Dialogue(id=asked.id, task=asked.task, prompt=(told,), reply=asked.reply)

    def options(self, example: Example) -> Sequence[str]:
        """The texts of the options. Raises ValueError where the example states none, or more than there are letters."""
        options = example.facts.get("options")
        if not isinstance(options, Sequence) or isinstance(options, str) or not 2 <= len(options) <= len(LETTERS):
            raise ValueError(f"example {example.id!r}: options are {options!r}, wanted 2 to {len(LETTERS)} texts")
        return [str(option) for option in options]

    def read(self, text: str) -> str | None:
        """The letter: what is boxed, else what follows the last "answer", "option" or "choice", else the only one."""
        text = text[:_LONGEST]
        for pattern in (_BOXED, _SAID):
            if found := pattern.findall(text):
                return str(found[-1]).upper()
        alone = set(_ALONE.findall(text))
        return alone.pop() if len(alone) == 1 else None

    def truth(self, example: Example) -> str:
        return self.fact(example, "answer")
