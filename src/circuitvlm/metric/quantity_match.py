"""How good? Whether a number is right, and its unit."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Executable, Truth, judge_quantity, said_by
from circuitvlm.circuit.quantity import QuantityError, parse
from circuitvlm.core.record import Score


class QuantityMatch:
    """An aspect of a quantity, said or executed, against the true one in base units.

    `correct`: number within `tolerance` (relative) and unit; `number` and `unit` alone; `stated`: a number was said.
    """

    def __init__(self, *, aspect: Literal["correct", "number", "unit", "stated"], tolerance: float) -> None:
        self.aspect = aspect
        self.tolerance = tolerance

    def score(self, predicted: Any, truth: Any) -> Score:
        said = said_by(predicted)
        if said is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer that could be read")
        shown = said if isinstance(said, str) else said.probe.card
        if self.aspect == "stated":
            return Score(value=float(_states_one(said)), read=shown)
        try:
            found = judge_quantity(said, truth, tolerance=self.tolerance)
        except QuantityError as error:
            return Score(value=0.0, read=shown, why=f"the truth states no number: {error}")
        return Score(value=float(getattr(found, self.aspect)), read=shown)


def _states_one(said: str | Executable) -> bool:
    if isinstance(said, Executable):
        return True
    try:
        parse(said)
    except QuantityError:
        return False
    return True
