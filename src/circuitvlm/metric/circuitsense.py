"""Compute the four numbers of the CircuitSense fine-tuning document, with its four helper functions.

The names are those of the document. Here they are computed exactly (`circuit.judge.verdict`, `circuit.quantity`); the
document's code compared first numbers without units and executed formulas to simplify them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Executable, Truth, answer_of, judge_formula, judge_quantity
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions
from circuitvlm.circuit.quantity import Quantity, QuantityError, compare, parse
from circuitvlm.core.record import Score

__all__ = [
    "CircuitSense",
    "check_sympy_equivalence",
    "compute_numerical_accuracy",
    "extract_numerical_answer",
    "normalize_latex",
]

Measure = Literal["equation_exact_accuracy", "equation_sympy_accuracy", "qa_numerical_accuracy", "qa_unit_accuracy"]

_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits|[,;:!]|quad|qquad)(?![A-Za-z])")
_LABEL = re.compile(r"^[A-Za-z](?:_\{?[A-Za-z0-9]+\}?)?(?:\([A-Za-z]+\))?=")


class CircuitSense:
    """One of the document's numbers for one reply; its mean over all replies is the accuracy of that name.

    Equations: the same text after `normalize_latex`, or an equivalent formula (strict in its sign). Questions: the
    number within `tolerance` in base units, or the unit.
    """

    def __init__(self, *, measure: Measure, tolerance: float) -> None:
        self.measure = measure
        self.tolerance = tolerance

    def score(self, prediction: Any, truth: Any) -> Score:
        answer = answer_of(prediction)
        if answer is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer could be read")
        return Score(value=float(self._is_right(answer, truth)), read=str(answer))

    def _is_right(self, answer: str | Executable, truth: Truth) -> bool:
        if self.measure == "equation_exact_accuracy":
            return isinstance(answer, str) and normalize_latex(answer) == normalize_latex(truth.answer)
        if self.measure == "equation_sympy_accuracy":
            return judge_formula(answer, truth) is Verdict.EQUAL
        try:
            comparison = judge_quantity(answer, truth, tolerance=self.tolerance)
        except QuantityError:
            return False
        return comparison.number if self.measure == "qa_numerical_accuracy" else comparison.unit


def normalize_latex(latex_str: str) -> str:
    """The text without what only typesets: spaces, \\left and \\right, dollar signs, \\dfrac for \\frac, `H(s) =`.

    `R_1` and `R_{1}` become the same, `\\cdot` and `*` too. Two texts that differ after it may still be one formula.
    """
    text = _SIZES.sub("", latex_str).replace("$", "").replace("\\[", "").replace("\\]", "")
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cdot", "*").replace("\\times", "*")
    text = re.sub(r"\\(?:text|mathrm|operatorname)\{([^{}]*)\}", r"\1", text).replace("**", "^")
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", re.sub(r"\s+", "", text))
    return _LABEL.sub("", text).rstrip(".")


def check_sympy_equivalence(pred: str, gt: str) -> bool:
    """Whether two formulas are equal for all values, signs included; False where one cannot be read.

    Decided in a finite field within a bounded number of steps, without SymPy and without executing either text.
    """
    return equal_expressions(pred, gt) is Verdict.EQUAL


def extract_numerical_answer(text: str) -> tuple[float | complex | None, str | None]:
    """Return the number that an answer states, in base units, and its unit; (None, None) where there is none.

    It is the number of the conclusion, not the first digits of the text: for `The current I2 is 3.4 mA` it is 0.0034 A.
    """
    try:
        quantity = parse(text)
    except QuantityError:
        return None, None
    return quantity.value, quantity.unit


def compute_numerical_accuracy(
    predictions: list[str], ground_truths: list[str], tolerance: float = 0.01
) -> Mapping[str, float]:
    """Return numerical_accuracy and unit_accuracy: the shares of predictions with the right number and unit.

    Raises ValueError for lists of different lengths; two empty lists give 0.
    """
    if len(predictions) != len(ground_truths):
        raise ValueError(f"expected one ground truth per prediction, got {len(ground_truths)} for {len(predictions)}")
    pairs = [
        compare(prediction, _quantity(truth), tolerance)
        for prediction, truth in zip(predictions, ground_truths, strict=True)
    ]
    total = max(len(pairs), 1)
    return {
        "numerical_accuracy": sum(pair.number for pair in pairs) / total,
        "unit_accuracy": sum(pair.unit for pair in pairs) / total,
    }


def _quantity(text: str) -> Quantity:
    try:
        return parse(text)
    except QuantityError as error:
        raise ValueError(
            f"compute_numerical_accuracy: expected a number as ground truth, got {text!r} ({error})"
        ) from error
