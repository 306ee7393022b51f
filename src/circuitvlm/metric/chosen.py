"""Score the choice of one option among several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from circuitvlm.core.record import Score
from circuitvlm.runtime.seed import guess_index

NO_CHOICE = "no option could be read"


class Chosen:
    """1 for the letter of the answer; a reply without a choice is wrong.

    The truth holds `answer` (a letter), `options` (their number) and `pid` (the id of the question).
    """

    def score(self, prediction: Any, truth: Any) -> Score:
        letter = _letter(prediction)
        if prediction is not None and type(prediction) is type(truth) and prediction == truth:
            return Score(value=1.0, read=letter or "")  # the truth itself, which may be that of another task
        options = truth.get("options") if isinstance(truth, Mapping) else None
        if letter is None or not isinstance(options, int) or not 0 <= ord(letter) - ord("A") < options:
            return self.no_choice_score(truth)
        return Score(value=float(letter == truth["answer"]), read=letter)

    def no_choice_score(self, truth: Any) -> Score:
        """The score of a reply that chooses none of the options."""
        return Score(value=0.0, why=NO_CHOICE)


class ChosenOrGuessed(Chosen):
    """Like Chosen, but a reply without a choice scores as a guess.

    `expected` is the average score of a guess, `random` one guess that is drawn by the id of the question.
    """

    exempt: ClassVar[dict[str, str]] = {"unreadable": "an unreadable answer scores as a guess here"}

    def __init__(self, *, guess: Literal["expected", "random"]) -> None:
        if guess not in ("expected", "random"):
            raise ValueError(f"metric chosen: guess: expected 'expected' or 'random', got {guess!r}")
        self.guess = guess

    def no_choice_score(self, truth: Any) -> Score:
        if not isinstance(truth, Mapping) or not isinstance(options := truth.get("options"), int) or options < 1:
            return super().no_choice_score(truth)
        if self.guess == "expected":
            return Score(value=1 / options, why=f"{NO_CHOICE}: one in {options}")
        guessed_letter = chr(ord("A") + guess_index(str(truth.get("pid")), options=options))
        return Score(
            value=float(guessed_letter == truth.get("answer")), read=guessed_letter, why=f"{NO_CHOICE}: guessed"
        )


def _letter(prediction: Any) -> str | None:
    answer = prediction.get("answer") if isinstance(prediction, Mapping) else prediction
    return answer if isinstance(answer, str) and len(answer) == 1 else None
