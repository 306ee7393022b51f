"""Count right, predicted and expected fields, and score their F1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.fields import TooLargeError, excerpt


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of right, predicted and expected fields. Their sums over a corpus give its micro F1."""

    right: int
    predicted_count: int
    expected_count: int

    @property
    def f1(self) -> float:
        """2 x right / (predicted + expected); 1 where both are 0."""
        total = self.predicted_count + self.expected_count
        return 2 * self.right / total if total else 1.0

    def __str__(self) -> str:
        return f"{self.right} fields right of {self.predicted_count} predicted and {self.expected_count} expected"


def f1_score(count: Callable[[dict[str, Any], dict[str, Any]], Counts], prediction: Any, truth: Any) -> Score:
    """Score the F1 of a prediction, weighted by its fields: the weighted mean of a corpus is its micro F1.

    A prediction that is no object, or for which `count` raises TooLargeError, scores 0 and predicts no field.
    """
    if not isinstance(truth, dict):
        return Score(value=0.0, why="the truth is not an object")
    fields, why = (prediction, "") if isinstance(prediction, dict) else ({}, "not readable as an object")
    try:
        counts = count(fields, truth)
    except TooLargeError as error:
        counts, why = _expected_counts(count, truth), str(error)
    weight = float(counts.predicted_count + counts.expected_count)
    if why:
        return Score(value=0.0, why=why, weight=weight)
    return Score(value=counts.f1, read=excerpt(prediction), why=str(counts), weight=weight)


def _expected_counts(count: Callable[[dict[str, Any], dict[str, Any]], Counts], truth: dict[str, Any]) -> Counts:
    try:
        return count({}, truth)
    except TooLargeError:
        return Counts(right=0, predicted_count=0, expected_count=0)
