"""What is asked, and how is an answer read? Which digit a picture shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LARGER = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety"
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9])(?<![0-9]\.)([0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9]|\.[0-9])"
    rf"|\b({'|'.join((*_WORDS, *_LARGER.split()))})\b",
    re.I,
)
_LONGEST = 20_000
_PLACE = "{label}"


class Digit:
    """One question, `prompt`, about a picture of a digit; `answer` is what is wanted, with the digit for `{label}`.

    `reading` is "first" (the first whole number or number word of whatever the model says) or "likelihood" (the model
    may say nothing but one of the ten answers, and says the likeliest). Needs kind "digit" and facts["label"], 0 to 9.
    """

    kind: ClassVar[str] = "digit"
    labels: ClassVar[tuple[str, ...]] = tuple("0123456789")
    """What `read` and `truth` can give, for a matrix of what is taken for what."""

    def __init__(
        self, *, prompt: str, answer: str, reading: Literal["first", "likelihood"], metrics: Mapping[str, Metric]
    ) -> None:
        self.prompt = prompt
        self.answer = answer
        self.reading = reading
        self.metrics = metrics
        if _PLACE not in answer or any(self.read(self._say(label)) != label for label in self.labels):
            raise ValueError(
                f"digit: the answer is {answer!r}; wanted one that says {_PLACE}, and no other number before it"
            )

    def fits(self, example: Example) -> bool:
        return example.facts.get("kind") == self.kind

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=self.prompt, images=example.images)
        choices = tuple(map(self._say, self.labels)) if self.reading == "likelihood" else ()
        reply = self._say(self.truth(example))
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=reply, choices=choices)

    def read(self, text: str) -> str | None:
        """The first whole number or number word, where that is a digit; None where it is not, or there is none.

        17, 7.5, 07 and "twenty-seven" are no digits, and hide what comes after them.
        """
        found = _NUMBER.search(text[:_LONGEST])
        if found is None:
            return None
        said = found[1] or found[2].lower()
        said = str(_WORDS.index(said)) if said in _WORDS else said
        return said if said in self.labels else None

    def truth(self, example: Example) -> str:
        """The digit. Raises ValueError for an example of another kind, or without a label."""
        label = example.facts.get("label")
        if not self.fits(example) or not isinstance(label, int) or str(label) not in self.labels:
            raise ValueError(
                f"example {example.id!r}: the digit task needs kind 'digit' and facts['label'], 0 to 9; it has kind "
                f"{example.facts.get('kind')!r} and label {label!r}"
            )
        return str(label)

    def _say(self, label: str) -> str:
        return self.answer.replace(_PLACE, label)
