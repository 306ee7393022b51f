"""How good? Whether a count, a value, or a yes or no is right."""

from __future__ import annotations

from typing import Any

from circuitvlm.circuit.judge.answer import Truth, said_by
from circuitvlm.circuit.quantity import QuantityError, compare
from circuitvlm.core.record import Score


class Perceived:
    """1 for the same word where the truth is yes or no; else for the same number, with its unit, within `tolerance`."""

    def __init__(self, *, tolerance: float) -> None:
        self.tolerance = tolerance

    def score(self, predicted: Any, truth: Any) -> Score:
        said = said_by(predicted)
        if not isinstance(said, str) or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer that could be read")
        if truth.answer in ("yes", "no"):
            return Score(value=float(said == truth.answer), read=said)
        try:
            right = compare(said, truth.answer, self.tolerance).correct
        except QuantityError:
            right = said == truth.answer
        return Score(value=float(right), read=said)
