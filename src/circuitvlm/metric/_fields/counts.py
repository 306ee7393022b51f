"""How many fields are right, of how many? What the metrics that count fields share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.fields import TooLargeError, shown


@dataclass(frozen=True, slots=True)
class Counts:
    """Fields that are right, that were said, and that were wanted. Sums of them over a corpus give its micro F1."""

    right: int
    said: int
    wanted: int

    @property
    def f1(self) -> float:
        """Of nothing wanted and nothing said, 1."""
        both = self.said + self.wanted
        return 2 * self.right / both if both else 1.0

    def __str__(self) -> str:
        return f"{self.right} fields right of {self.said} said and {self.wanted} wanted"


def scored(count: Callable[[dict[str, Any], dict[str, Any]], Counts], predicted: Any, truth: Any) -> Score:
    """The F1 of what was counted, weighted by the fields said and wanted, so that the mean of a corpus is its micro F1.

    What is no object, or one that `count` refuses with TooLargeError, is worth 0 and has said nothing.
    """
    if not isinstance(truth, dict):
        return Score(value=0.0, why="the truth is no object")
    said, why = (predicted, "") if isinstance(predicted, dict) else ({}, "no object that could be read")
    try:
        counts = count(said, truth)
    except TooLargeError as error:
        why = str(error)
        counts = Counts(right=0, said=0, wanted=_wanted(count, truth))
    weight = float(counts.said + counts.wanted)
    if why:
        return Score(value=0.0, why=why, weight=weight)
    return Score(value=counts.f1, read=shown(predicted), why=str(counts), weight=weight)


def _wanted(count: Callable[[dict[str, Any], dict[str, Any]], Counts], truth: dict[str, Any]) -> int:
    try:
        return count({}, truth).wanted
    except TooLargeError:
        return 0
