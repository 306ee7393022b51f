"""Score the fields of a JSON object without regard to their order in lists: Donut's F1."""

from __future__ import annotations

from collections import Counter
from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.counts import Counts, f1_score
from circuitvlm.metric._fields.fields import normalise, paths


class FieldF1:
    """F1 of the multisets of (dotted path, text), blind to which item of a list a field belongs to.

    `field` is a path such as menu.price or total, to which the fields are restricted; "" is all of them. An object that
    is nested more than 64 deep or has more than 100,000 values is worth 0.
    """

    def __init__(self, *, field: str) -> None:
        self.field = field

    def score(self, prediction: Any, truth: Any) -> Score:
        return f1_score(self.counts, prediction, truth)

    def counts(self, prediction: dict[str, Any], truth: dict[str, Any]) -> Counts:
        """Raises TooLargeError."""
        predicted_fields, expected_fields = self._counter(prediction), self._counter(truth)
        return Counts(
            right=(predicted_fields & expected_fields).total(),
            predicted_count=predicted_fields.total(),
            expected_count=expected_fields.total(),
        )

    def _counter(self, value: dict[str, Any]) -> Counter[tuple[str, str]]:
        counter = paths(normalise(value))
        if not self.field:
            return counter
        prefix = f"{self.field}."
        return Counter({(path, text): n for (path, text), n in counter.items() if f"{path}.".startswith(prefix)})
