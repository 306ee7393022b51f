"""How good? Whether the right one of several options was chosen, and what a reply without a choice is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from circuitvlm.core.record import Score
from circuitvlm.runtime.seed import guess

NOTHING = "no option that could be read"


class Chosen:
    """1 for the letter of the answer; a reply that chooses nothing is wrong.

    The truth says `answer`, among how many `options`, and whose (`pid`).
    """

    def score(self, predicted: Any, truth: Any) -> Score:
        if _same(predicted, truth):
            return Score(value=1.0, read=str(_letter(predicted) or ""))
        letter = _letter(predicted)
        if letter is None or not _is_option(letter, truth):
            return self.failed(truth)
        return Score(value=float(letter == truth["answer"]), read=letter)

    def failed(self, truth: Any) -> Score:
        """What a reply is worth that chooses none of the options."""
        return Score(value=0.0, why=NOTHING)


class ChosenOrGuessed(Chosen):
    """The same, but a reply that chooses nothing is worth a guess: what one is worth on average, or one that the
    question's id draws.
    """

    exempt: ClassVar[dict[str, str]] = {"unreadable": "an answer that could not be read is worth a guess here"}

    def __init__(self, *, guess: Literal["expected", "random"]) -> None:
        if guess not in ("expected", "random"):
            raise ValueError(f"chosen: guess is {guess!r}, wanted expected or random")
        self.guess = guess

    def failed(self, truth: Any) -> Score:
        if not isinstance(truth, Mapping) or not isinstance(options := truth.get("options"), int) or options < 1:
            return super().failed(truth)
        if self.guess == "expected":
            return Score(value=1 / options, why=f"{NOTHING}: one in {options}")
        drawn = chr(ord("A") + guess(str(truth.get("pid")), options=options))
        return Score(value=float(drawn == truth.get("answer")), read=drawn, why=f"{NOTHING}: guessed")


def _letter(predicted: Any) -> str | None:
    said = predicted.get("answer") if isinstance(predicted, Mapping) else predicted
    return said if isinstance(said, str) and len(said) == 1 else None


def _is_option(letter: str, truth: Any) -> bool:
    options = truth.get("options") if isinstance(truth, Mapping) else None
    return isinstance(options, int) and 0 <= ord(letter) - ord("A") < options


def _same(predicted: Any, truth: Any) -> bool:
    """A truth held against itself, be it of another task."""
    return predicted is not None and type(predicted) is type(truth) and bool(predicted == truth)
