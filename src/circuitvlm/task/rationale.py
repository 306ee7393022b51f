"""What is asked, and how is an answer read? A ScienceQA problem, answered by its letter with the reason why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task import _scienceqa_prompt as scienceqa
from circuitvlm.task._options import LETTERS, first_letter, options_of
from circuitvlm.task.choice import read_first, read_official

_LONGEST = 20_000


class Rationale:
    """`The answer is B. BECAUSE: ..`, or what else `format` says: its first half is asked, its second wanted.

    `cue` is how the prompt ends; `captions` adds the image's caption to the context (they need a captions.json);
    `lavin_compat` writes as LaVIN does: AL and AE exchanged, newlines of lecture and solution as a backslash and an n.
    `reading` is "official" (the letter of "The answer is X.", said once), "first" (the same, said once or more: LaVIN's
    own), "letter" (the first letter that stands alone) or "likelihood" (the model may say nothing but "The answer is
    X.", and says the likeliest; no rationale is written).
    What a reply without an answer is worth is said by the metric: `chosen`, `chosen_expected` or `chosen_random`.
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
        self.wording = scienceqa.wording(format, cue=cue, captions=captions, lavin_compat=lavin_compat)
        if reading in ("letter", "likelihood") and not self.wording.answers_first:
            raise ValueError(
                f"rationale: format {format!r} gives its answer last, so reading={reading} would not find it; "
                "wanted reading=official or first, or a format that ends in -A, -AL, -AE, -ALE or -AEL"
            )
        self.reading = reading
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        return scienceqa.fits(example)

    def ask(self, example: Example) -> Dialogue:
        turn = Turn(role="user", text=self.wording.ask(example), images=example.images)
        letters = LETTERS[: len(options_of(example))] if self.reading == "likelihood" else ""
        choices = tuple(scienceqa.ANSWER.format(letter) for letter in letters)
        reply = self.wording.say(example)
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=reply, choices=choices)

    def read(self, text: str) -> str | None:
        """The letter of the answer; None where there is none, or where several are official."""
        if self.reading == "letter":
            return first_letter(text[:_LONGEST])
        index = read_first(text) if self.reading == "first" else read_official(text)
        return None if index is None else chr(ord("A") + index)

    def truth(self, example: Example) -> Mapping[str, object]:
        return scienceqa.truth_of(example)
