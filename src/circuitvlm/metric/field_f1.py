"""How good? As far as the fields of a JSON object are right, wherever in their lists they stand: Donut's F1."""

from __future__ import annotations

from collections import Counter
from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.counts import Counts, scored
from circuitvlm.metric._fields.fields import normalise, paths


class FieldF1:
    """F1 of the multisets of (dotted path, text), blind to which item of a list a field belongs to.

    `field` is a path such as menu.price or total, to which the fields are restricted; "" is all of them. An object that
    is nested more than 64 deep or has more than 100,000 values is worth 0.
    """

    def __init__(self, *, field: str) -> None:
        self.field = field

    def score(self, predicted: Any, truth: Any) -> Score:
        return scored(self.counts, predicted, truth)

    def counts(self, predicted: dict[str, Any], truth: dict[str, Any]) -> Counts:
        """Raises TooLargeError."""
        said, wanted = self._of(predicted), self._of(truth)
        return Counts(right=(said & wanted).total(), said=said.total(), wanted=wanted.total())

    def _of(self, value: dict[str, Any]) -> Counter[tuple[str, str]]:
        found = paths(normalise(value))
        if not self.field:
            return found
        under = f"{self.field}."
        return Counter({(path, text): n for (path, text), n in found.items() if f"{path}.".startswith(under)})
