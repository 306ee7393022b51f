"""How good? Whether a formula is the right one, judged exactly."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Truth, judge_formula, said_by
from circuitvlm.circuit.judge.verdict import Verdict
from circuitvlm.core.record import Score

_ACCEPTED = {
    "strict": {Verdict.EQUAL},
    "up_to_sign": {Verdict.EQUAL, Verdict.OPPOSITE},
    "readable": set(Verdict) - {Verdict.UNREADABLE},
}


class Formula:
    """1 where the formula, said or executed, is equal to the true one: `strict`, or `up_to_sign`, as CircuitSense does.

    `readable` is 1 where it is a formula at all.
    """

    def __init__(self, *, aspect: Literal["strict", "up_to_sign", "readable"]) -> None:
        self.aspect = aspect

    def score(self, predicted: Any, truth: Any) -> Score:
        said = said_by(predicted)
        if said is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer that could be read")
        verdict = judge_formula(said, truth)
        shown = said if isinstance(said, str) else said.probe.card
        return Score(value=float(verdict in _ACCEPTED[self.aspect]), read=shown, why=verdict.value)
