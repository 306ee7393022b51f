"""How good? As far as the fields of a JSON object are right and stand together in the right items."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.counts import Counts, scored
from circuitvlm.metric._fields.fields import Fields, TooLargeError, normalise, paths

PAIRS = 4_000_000
"""Pairs of items to compare: about three seconds. Two receipts of 300 items with four things added to each have half
of it.
"""


class ItemF1:
    """F1 of fields, where a said item of a list counts for one wanted item only, in whatever order they stand.

    Lists of objects at the same path are aligned one to one, so that as many fields as possible are right (maximum
    weight assignment: Kuhn 1955, Naval Research Logistics Quarterly 2), and so are the lists inside them: a price that
    sits with another item is wrong. Worth 0 beyond the bounds of FieldF1 or four million pairs of items.
    """

    def score(self, predicted: Any, truth: Any) -> Score:
        return scored(self.counts, predicted, truth)

    def counts(self, predicted: dict[str, Any], truth: dict[str, Any]) -> Counts:
        """Raises TooLargeError."""
        said, wanted = normalise(predicted), normalise(truth)
        if said == wanted:
            count = paths(wanted).total()
            return Counts(right=count, said=count, wanted=count)
        pairs = _objects(said) * _objects(wanted)
        if pairs > PAIRS:
            raise TooLargeError(f"{pairs:,} pairs of items, more than {PAIRS:,}")
        return Counts(right=_right(said, wanted), said=paths(said).total(), wanted=paths(wanted).total())


def _objects(fields: Fields) -> int:
    """Each object is compared with each of the other side at most once: both have one place in what they lie in."""
    return 1 + sum(_objects(value) for values in fields.values() for value in values if isinstance(value, dict))


def _right(said: Fields, wanted: Fields) -> int:
    total = 0
    for key, values in said.items():
        others = wanted.get(key)
        if others is None:
            continue
        if isinstance(values[0], str) and isinstance(others[0], str):
            both_single = len(values) == len(others) == 1
            total += values == others if both_single else (Counter(values) & Counter(others)).total()
        elif isinstance(values[0], dict) and isinstance(others[0], dict):
            total += _aligned(values, others)
    return total


def _aligned(said: list[Fields], wanted: list[Fields]) -> int:
    """Fields that are right under the best assignment of items."""
    right = np.array([[_right(one, other) for other in wanted] for one in said])
    if 1 in right.shape:
        return int(right.max())
    return int(right[linear_sum_assignment(right, maximize=True)].sum())
