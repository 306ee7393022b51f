"""What is asked, and how is an answer read? One of several options, by its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task import _scienceqa_prompt as scienceqa
from circuitvlm.task._asking import Asking
from circuitvlm.task._options import LETTERS, first_letter, options_of

__all__ = ["LETTERS", "Choice", "ScienceChoice", "read_first", "read_official"]

_SAID = re.compile(r"(?:answer|option|choice)\s*(?:is|:|=)?\s*[*\s(\[]*([A-H])(?![A-Za-z'])", re.I)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*\(?([A-H])\b")
_ALONE = re.compile(r"(?<![A-Za-z'])(A(?!\s+(?!or\b|and\b)[a-z])|[B-H])(?![A-Za-z'])")  # "A resistor" is no letter
_OFFICIAL = re.compile(r"The answer is ([A-Z]).")  # the point is any character but a newline, as it stands there
_LONGEST = 20_000


def read_official(text: str) -> int | None:
    """The index of the letter in "The answer is A.", where that stands in the text exactly once; else None.

    As ScienceQA's own evaluation reads it (github.com/lupantech/ScienceQA, models/run_gpt3.py). What follows the letter
    may be any character but a newline, and there must be one. The index may be beyond the question's options.
    """
    found = _OFFICIAL.findall(text)
    return ord(found[0]) - ord("A") if len(found) == 1 else None


def read_first(text: str) -> int | None:
    """The index of the first letter in "The answer is A.", as LaVIN's evaluation reads it (eval.py); else None."""
    found = _OFFICIAL.search(text)
    return ord(found[1]) - ord("A") if found else None


class Choice(Asking):
    """A question with `facts["options"]`, a list of texts; the answer is a letter from A on.

    Options that the question does not list itself are written below it. `reading` is "letter", which is read out of
    whatever the model says, or "likelihood": the model may say nothing but a letter, and says the likeliest.
    """

    kind = "choice"

    def __init__(self, *, prompt: str, reading: Literal["letter", "likelihood"], metrics: Mapping[str, Metric]) -> None:
        super().__init__(prompt=prompt, metrics=metrics)
        self.reading = reading

    def ask(self, example: Example) -> Dialogue:
        asked, options = super().ask(example), self.options(example)
        (turn,) = asked.prompt
        if any(option not in turn.text for option in options):
            listed = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, options, strict=False))
            turn = replace(turn, text=f"{turn.text}\n{listed}\nAnswer with the letter.")
        choices = tuple(LETTERS[: len(options)]) if self.reading == "likelihood" else ()
        return replace(asked, prompt=(turn,), choices=choices)

    def options(self, example: Example) -> Sequence[str]:
        """The texts of the options. Raises ValueError where the example states none, or more than there are letters."""
        return options_of(example)

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


class ScienceChoice(Choice):
    """A ScienceQA problem, answered by its letter alone.

    `order` is the half of a format that is asked, such as QCM; `cue`, `captions` and `lavin_compat` as in Rationale.
    """

    def __init__(
        self,
        *,
        order: str,
        cue: str,
        captions: bool,
        lavin_compat: bool,
        reading: Literal["letter", "likelihood"],
        metrics: Mapping[str, Metric],
    ) -> None:
        super().__init__(prompt="{question}", reading=reading, metrics=metrics)
        self.wording = scienceqa.wording(f"{order}-A", cue=cue, captions=captions, lavin_compat=lavin_compat)

    def fits(self, example: Example) -> bool:
        return scienceqa.fits(example)

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=self.wording.ask(example), images=example.images)
        choices = tuple(LETTERS[: len(self.options(example))]) if self.reading == "likelihood" else ()
        reply = scienceqa.answer_of(example)
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=reply, choices=choices)

    def read(self, text: str) -> str | None:
        """The first letter that stands alone."""
        return first_letter(text[:_LONGEST])

    def truth(self, example: Example) -> Mapping[str, object]:  # type: ignore[override]  # what `chosen` compares with
        return scienceqa.truth_of(example)
