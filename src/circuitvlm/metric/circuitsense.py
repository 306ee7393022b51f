"""How good? By the four numbers, and the four helper functions, of the CircuitSense fine-tuning document.

The names are that document's; what they say is computed exactly (`circuit.verdict`, `circuit.quantity`), where its own
code compared first numbers without units and simplified formulas by executing them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from circuitvlm.circuit.judge.answer import Executable, Truth, judge_formula, judge_quantity, said_by
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
    """One of the document's numbers for one reply; its mean over the replies is the accuracy of that name.

    Equations: the same text after `normalize_latex`, or an equivalent formula (strict in its sign). Questions: the
    number within `tolerance` in base units, or the unit.
    """

    def __init__(self, *, measure: Measure, tolerance: float) -> None:
        self.measure = measure
        self.tolerance = tolerance

    def score(self, predicted: Any, truth: Any) -> Score:
        said = said_by(predicted)
        if said is None or not isinstance(truth, Truth):
            return Score(value=0.0, why="no answer that could be read")
        return Score(value=float(self._is_right(said, truth)), read=str(said))

    def _is_right(self, said: str | Executable, truth: Truth) -> bool:
        if self.measure == "equation_exact_accuracy":
            return isinstance(said, str) and normalize_latex(said) == normalize_latex(truth.answer)
        if self.measure == "equation_sympy_accuracy":
            return judge_formula(said, truth) is Verdict.EQUAL
        try:
            found = judge_quantity(said, truth, tolerance=self.tolerance)
        except QuantityError:
            return False
        return found.number if self.measure == "qa_numerical_accuracy" else found.unit


def normalize_latex(latex_str: str) -> str:
    """The text without what only typesets: spaces, \\left and \\right, dollar signs, \\dfrac for \\frac, `H(s) =`.

    `R_1` and `R_{1}` become the same, `\\cdot` and `*` too. Two texts that differ after it may still be one formula.
    """
    text = _SIZES.sub("", latex_str).replace("$", "").replace("\\[", "").replace("\\]", "")
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cdot", "*").replace("\\times", "*")
    text = re.sub(r"\\(?:text|mathrm|operatorname)\{([^{}]*)\}", r"\1", text).replace("**", "^")
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    return _LABEL.sub("", text).rstrip(".")


def check_sympy_equivalence(pred: str, gt: str) -> bool:
    """Whether two formulas are equal for all values, signs included; False where one cannot be read.

    Decided in a finite field, in at most a second, without SymPy and without executing either text.
    """
    return equal_expressions(pred, gt) is Verdict.EQUAL


def extract_numerical_answer(text: str) -> tuple[float | complex | None, str | None]:
    """The number that an answer states, in base units, and its unit; (None, None) where there is none.

    The number of the conclusion, not the first digits of the text: of `The current I2 is 3.4 mA` it is 0.0034 A.
    """
    try:
        found = parse(text)
    except QuantityError:
        return None, None
    return found.value, found.unit


def compute_numerical_accuracy(
    predictions: list[str], ground_truths: list[str], tolerance: float = 0.01
) -> Mapping[str, float]:
    """The shares of predictions whose number, and whose unit, is right, as numerical_accuracy and unit_accuracy.

    Raises ValueError for lists of different lengths; two empty lists give 0.
    """
    if len(predictions) != len(ground_truths):
        raise ValueError(f"{len(predictions)} predictions for {len(ground_truths)} ground truths; wanted as many")
    pairs = [compare(said, _quantity(true), tolerance) for said, true in zip(predictions, ground_truths, strict=True)]
    total = max(len(pairs), 1)
    return {
        "numerical_accuracy": sum(pair.number for pair in pairs) / total,
        "unit_accuracy": sum(pair.unit for pair in pairs) / total,
    }


def _quantity(text: str) -> Quantity:
    try:
        return parse(text)
    except QuantityError as error:
        raise ValueError(f"a ground truth states no number: {error}") from error
