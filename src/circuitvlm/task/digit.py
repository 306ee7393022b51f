"""Ask which digit a picture shows."""

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
_MAX_CHARACTERS = 20_000
_PLACE = "{label}"


class Digit:
    """Ask `prompt` about a picture of a digit; `answer` is the expected reply, with the digit in place of `{label}`.

    With `reading` "first" the first whole number or number word of the reply counts. With "likelihood" the model may
    only give one of the ten answers, and gives the likeliest. Needs kind "digit" and facts["label"], 0 to 9.
    """

    kind: ClassVar[str] = "digit"
    labels: ClassVar[tuple[str, ...]] = tuple("0123456789")
    """The values of `read` and `truth`, for a confusion matrix."""

    def __init__(
        self, *, prompt: str, answer: str, reading: Literal["first", "likelihood"], metrics: Mapping[str, Metric]
    ) -> None:
        self.prompt = prompt
        self.answer = answer
        self.reading = reading
        self.metrics = metrics
        if _PLACE not in answer or any(self.read(self._say(label)) != label for label in self.labels):
            raise ValueError(
                f"task digit: answer: expected a text with {_PLACE} and no number before it, got {answer!r}"
            )

    def fits(self, example: Example) -> bool:
        return example.facts.get("kind") == self.kind

    def ask(self, example: Example) -> Dialogue:
        return Dialogue(
            id=example.id,
            task=example.task,
            prompt=(Turn(role="user", text=self.prompt, images=example.images),),
            reply=self._say(self.truth(example)),
            choices=tuple(map(self._say, self.labels)) if self.reading == "likelihood" else (),
        )

    def read(self, text: str) -> str | None:
        """The first whole number or number word if it is a digit; else None.

        17, 7.5, 07 and "twenty-seven" are not digits, and nothing after them is read.
        """
        match = _NUMBER.search(text[:_MAX_CHARACTERS])
        if match is None:
            return None
        word = match[1] or match[2].lower()
        word = str(_WORDS.index(word)) if word in _WORDS else word
        return word if word in self.labels else None

    def truth(self, example: Example) -> str:
        """The digit. Raises ValueError for an example of another kind, or without a label."""
        label = example.facts.get("label")
        if not self.fits(example) or not isinstance(label, int) or str(label) not in self.labels:
            raise ValueError(
                f"example {example.id!r}: expected kind 'digit' and facts['label'] from 0 to 9, got kind "
                f"{example.facts.get('kind')!r} and label {label!r}"
            )
        return str(label)

    def _say(self, label: str) -> str:
        return self.answer.replace(_PLACE, label)
