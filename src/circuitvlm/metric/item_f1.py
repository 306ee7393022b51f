"""Score the fields of a JSON object with its list items aligned one to one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.counts import Counts, f1_score
from circuitvlm.metric._fields.fields import Fields, TooLargeError, normalise, paths

MAX_PAIRS = 4_000_000
"""Pairs of items to compare: about three seconds. Two receipts of 300 items with four things added to each have half
of it.
"""


class ItemF1:
    """F1 of fields, where each predicted item of a list counts for one expected item, in any order.

    Lists of objects at the same path are aligned one to one, so that as many fields as possible are right (maximum
    weight assignment: Kuhn 1955, Naval Research Logistics Quarterly 2), and so are the lists inside them: a price that
    stands in another item is wrong. Scores 0 beyond the bounds of FieldF1 or four million pairs of items.
    """

    def score(self, prediction: Any, truth: Any) -> Score:
        return f1_score(self.counts, prediction, truth)

    def counts(self, prediction: dict[str, Any], truth: dict[str, Any]) -> Counts:
        """Raises TooLargeError."""
        predicted_fields, expected_fields = normalise(prediction), normalise(truth)
        if predicted_fields == expected_fields:
            count = paths(expected_fields).total()
            return Counts(right=count, predicted_count=count, expected_count=count)
        pairs = _objects(predicted_fields) * _objects(expected_fields)
        if pairs > MAX_PAIRS:
            raise TooLargeError(f"JSON object: expected at most {MAX_PAIRS:,} pairs of items to compare, got {pairs:,}")
        return Counts(
            right=_right(predicted_fields, expected_fields),
            predicted_count=paths(predicted_fields).total(),
            expected_count=paths(expected_fields).total(),
        )


def _objects(fields: Fields) -> int:
    """Count the objects: each is compared at most once with each object of the other side."""
    return 1 + sum(_objects(value) for values in fields.values() for value in values if isinstance(value, dict))


def _right(predicted_fields: Fields, expected_fields: Fields) -> int:
    total = 0
    for key, values in predicted_fields.items():
        expected_values = expected_fields.get(key)
        if expected_values is None:
            continue
        if isinstance(values[0], str) and isinstance(expected_values[0], str):
            both_single = len(values) == len(expected_values) == 1
            total += values == expected_values if both_single else (Counter(values) & Counter(expected_values)).total()
        elif isinstance(values[0], dict) and isinstance(expected_values[0], dict):
            total += _right_aligned(values, expected_values)
    return total


def _right_aligned(predicted_fields: list[Fields], expected_fields: list[Fields]) -> int:
    """Count the right fields under the best assignment of items."""
    right = np.array([[_right(item, truth) for truth in expected_fields] for item in predicted_fields])
    if 1 in right.shape:
        return int(right.max())
    return int(right[linear_sum_assignment(right, maximize=True)].sum())
