"""Ask a ScienceQA problem, answered by its letter with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task import _scienceqa_prompt as scienceqa
from circuitvlm.task._options import LETTERS, first_letter, options_of
from circuitvlm.task.choice import read_first, read_official

_MAX_CHARACTERS = 20_000


class Rationale:
    """Ask for `The answer is B. BECAUSE: ..`, or what else `format` states: PROMPT-REPLY, such as QCM-ALE.

    `cue` ends the prompt; `captions` adds the image's caption to the context (they need a captions.json);
    `lavin_compat` writes as LaVIN does: AL and AE exchanged, newlines of lecture and solution as a backslash and an n.
    `reading` is "official" (the letter of "The answer is X.", if it occurs once), "first" (its first occurrence, as in
    LaVIN), "letter" (the first single letter) or "likelihood" (the model may only reply "The answer is X." and gives
    the likeliest; it writes no rationale).
    The metric decides how a reply without an answer scores: `chosen`, `chosen_expected` or `chosen_random`.
    """

    kind: ClassVar[str] = "choice"

    def __init__(
        self,
        *,
        format: str,
        cue: str,
        captions: bool,
        lavin_compat: bool,
        reading: Literal["official", "first", "letter", "likelihood"],
        metrics: Mapping[str, Metric],
    ) -> None:
        self.wording = scienceqa.parse_format(format, cue=cue, captions=captions, lavin_compat=lavin_compat)
        if reading in ("letter", "likelihood") and not self.wording.answers_first:
            raise ValueError(
                f"task rationale: reading={reading} needs a format with the answer first, got format {format!r}; use "
                "reading=official or first, or a format that ends in -A, -AL, -AE, -ALE or -AEL"
            )
        self.reading = reading
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        return scienceqa.fits(example)

    def ask(self, example: Example) -> Dialogue:
        letters = LETTERS[: len(options_of(example))] if self.reading == "likelihood" else ""
        return Dialogue(
            id=example.id,
            task=example.task,
            prompt=(Turn(role="user", text=self.wording.ask(example), images=example.images),),
            reply=self.wording.say(example),
            choices=tuple(map(scienceqa.ANSWER.format, letters)),
        )

    def read(self, text: str) -> str | None:
        """The letter of the answer; None where there is none, or several with reading=official."""
        if self.reading == "letter":
            return first_letter(text[:_MAX_CHARACTERS])
        index = read_first(text) if self.reading == "first" else read_official(text)
        return None if index is None else chr(ord("A") + index)

    def truth(self, example: Example) -> Mapping[str, object]:
        return scienceqa.truth_of(example)
