"""Score a count, a value, or a yes or no."""

from __future__ import annotations

from typing import Any

from circuitvlm.circuit.judge.answer import Truth, answer_of
from circuitvlm.circuit.quantity import QuantityError, compare
from circuitvlm.core.record import Score


class Perceived:
    """1 for the same word where the truth is yes or no; else for the same number, with its unit, within `tolerance`."""

    def __init__(self, *, tolerance: float) -> None:
        self.tolerance = tolerance

    def score(self, prediction: Any, truth: Any) -> Score:
        answer = answer_of(prediction)
        if not isinstance(answer, str) or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer could be read")
        if truth.answer in ("yes", "no"):
            return Score(value=float(answer == truth.answer), read=answer)
        try:
            right = compare(answer, truth.answer, self.tolerance).correct
        except QuantityError:
            right = answer == truth.answer
        return Score(value=float(right), read=answer)
