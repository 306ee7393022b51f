"""Score a formula by an exact comparison with the true one."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Truth, answer_of, judge_formula
from circuitvlm.circuit.judge.verdict import Verdict
from circuitvlm.core.record import Score

_ACCEPTED_VERDICTS = {
    "strict": {Verdict.EQUAL},
    "up_to_sign": {Verdict.EQUAL, Verdict.OPPOSITE},
    "readable": set(Verdict) - {Verdict.UNREADABLE},
}


class Formula:
    """1 where the formula, stated or executed, equals the true one.

    `strict` requires the sign, `up_to_sign` does not, as in CircuitSense; `readable` only requires a formula.
    """

    def __init__(self, *, aspect: Literal["strict", "up_to_sign", "readable"]) -> None:
        self.aspect = aspect

    def score(self, prediction: Any, truth: Any) -> Score:
        answer = answer_of(prediction)
        if answer is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer could be read")
        verdict = judge_formula(answer, truth)
        answer_text = answer if isinstance(answer, str) else answer.probe.card
        return Score(value=float(verdict in _ACCEPTED_VERDICTS[self.aspect]), read=answer_text, why=verdict.value)
