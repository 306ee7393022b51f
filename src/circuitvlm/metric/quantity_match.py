"""Score a number and its unit."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Executable, Truth, answer_of, judge_quantity
from circuitvlm.circuit.quantity import QuantityError, parse
from circuitvlm.core.record import Score


class QuantityMatch:
    """An aspect of a quantity, stated or executed, compared with the true one in base units.

    `correct`: number within the relative `tolerance`, and unit. `number`, `unit`: each alone. `stated`: one is given.
    """

    def __init__(self, *, aspect: Literal["correct", "number", "unit", "stated"], tolerance: float) -> None:
        self.aspect = aspect
        self.tolerance = tolerance

    def score(self, prediction: Any, truth: Any) -> Score:
        answer = answer_of(prediction)
        if answer is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer could be read")
        answer_text = answer if isinstance(answer, str) else answer.probe.card
        if self.aspect == "stated":
            return Score(value=float(_states_one(answer)), read=answer_text)
        try:
            comparison = judge_quantity(answer, truth, tolerance=self.tolerance)
        except QuantityError as error:
            return Score(value=0.0, read=answer_text, why=f"the truth states no number: {error}")
        return Score(value=float(getattr(comparison, self.aspect)), read=answer_text)


def _states_one(answer: str | Executable) -> bool:
    try:
        return isinstance(answer, Executable) or parse(answer) is not None
    except QuantityError:
        return False
