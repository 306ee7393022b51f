"""Ask for one of several options by its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task import _scienceqa_prompt as scienceqa
from circuitvlm.task._options import LETTERS, first_letter, options_of
from circuitvlm.task._question import QuestionTask

__all__ = ["LETTERS", "Choice", "ScienceChoice", "read_first", "read_official"]

_STATED_LETTER = re.compile(r"(?:answer|option|choice)\s*(?:is|:|=)?\s*[*\s(\[]*([A-H])(?![A-Za-z'])", re.I)
_BOXED_LETTER = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*\(?([A-H])\b")
_SINGLE_LETTER = re.compile(
    r"(?<![A-Za-z'])(A(?!\s+(?!or\b|and\b)[a-z])|[B-H])(?![A-Za-z'])"
)  # "A resistor" is no letter
_OFFICIAL = re.compile(r"The answer is ([A-Z]).")  # as in the original, the point matches any character but a newline
_MAX_CHARACTERS = 20_000


def read_official(text: str) -> int | None:
    """The index of the letter in "The answer is A.", if the text has that exactly once; else None.

    This is how ScienceQA's evaluation reads it (github.com/lupantech/ScienceQA, models/run_gpt3.py). Exactly one
    character, any but a newline, follows the letter. The index may be beyond the options of the question.
    """
    matches = _OFFICIAL.findall(text)
    return ord(matches[0]) - ord("A") if len(matches) == 1 else None


def read_first(text: str) -> int | None:
    """The index of the first letter in "The answer is A.", as LaVIN's evaluation reads it (eval.py); else None."""
    matches = _OFFICIAL.search(text)
    return ord(matches[1]) - ord("A") if matches else None


class Choice(QuestionTask):
    """A question with `facts["options"]`, a list of texts; the answer is a letter from A on.

    Options that the question does not list are written below it. With `reading` "letter" the letter is read from a free
    reply; with "likelihood" the model may only reply with a letter, and gives the likeliest.
    """

    kind = "choice"

    def __init__(self, *, prompt: str, reading: Literal["letter", "likelihood"], metrics: Mapping[str, Metric]) -> None:
        super().__init__(prompt=prompt, metrics=metrics)
        self.reading = reading

    def ask(self, example: Example) -> Dialogue:
        dialogue, options = super().ask(example), options_of(example)
        (turn,) = dialogue.prompt
        if any(option not in turn.text for option in options):
            option_lines = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, options, strict=False))
            turn = replace(turn, text=f"{turn.text}\n{option_lines}\nAnswer with the letter.")
        return replace(dialogue, prompt=(turn,), choices=self.choices(example))

    def choices(self, example: Example) -> tuple[str, ...]:
        """The letters to which the model is restricted; none with the reading "letter"."""
        return tuple(LETTERS[: len(options_of(example))]) if self.reading == "likelihood" else ()

    def read(self, text: str) -> str | None:
        """The letter: a boxed one, else the one after the last "answer", "option" or "choice", else the only one."""
        text = text[:_MAX_CHARACTERS]
        for pattern in (_BOXED_LETTER, _STATED_LETTER):
            if matches := pattern.findall(text):
                return str(matches[-1]).upper()
        alone = set(_SINGLE_LETTER.findall(text))
        return alone.pop() if len(alone) == 1 else None

    def truth(self, example: Example) -> str:
        return self.text_fact(example, "answer")


class ScienceChoice(Choice):
    """A ScienceQA problem, answered by its letter alone.

    `order` is the prompt part of a format, such as QCM; `cue`, `captions` and `lavin_compat` as in Rationale.
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
        self.wording = scienceqa.parse_format(f"{order}-A", cue=cue, captions=captions, lavin_compat=lavin_compat)

    def fits(self, example: Example) -> bool:
        return scienceqa.fits(example)

    def ask(self, example: Example) -> Dialogue:
        return Dialogue(
            id=example.id,
            task=example.task,
            prompt=(Turn(role="user", text=self.wording.ask(example), images=example.images),),
            reply=scienceqa.answer_of(example),
            choices=self.choices(example),
        )

    def read(self, text: str) -> str | None:
        """The first single letter."""
        return first_letter(text[:_MAX_CHARACTERS])

    def truth(self, example: Example) -> Mapping[str, object]:  # type: ignore[override]  # as the metric `chosen` needs
        return scienceqa.truth_of(example)
