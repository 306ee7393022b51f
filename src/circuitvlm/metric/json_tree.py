"""Score a JSON object by the edit distance of its tree to the true one: Donut's accuracy."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.distance import Tree, distance
from circuitvlm.metric._fields.fields import TooLargeError, excerpt, normalise


class JsonTree:
    """1 - (edits from prediction to truth) / (edits from an empty object to truth), at least 0.

    A prediction that costs twice the truth or more scores 0 without a comparison. So does one beyond the bounds: more
    than 64 levels, more than 100,000 values, or larger than about 500 items compared with 500.
    """

    def score(self, prediction: Any, truth: Any) -> Score:
        if not isinstance(prediction, dict) or not isinstance(truth, dict):
            return Score(value=0.0, why="not readable as an object")
        try:
            return _tree_score(prediction, truth)
        except TooLargeError as error:
            return Score(value=0.0, why=str(error))


def _tree_score(prediction: dict[str, Any], truth: dict[str, Any]) -> Score:
    predicted_fields, expected_fields = normalise(prediction), normalise(truth)
    if predicted_fields == expected_fields:
        return Score(value=1.0, read=excerpt(prediction))
    predicted_tree, expected_tree = Tree.from_fields(predicted_fields), Tree.from_fields(expected_fields)
    expected_weight = int(expected_tree.weights().sum()) - 1  # all but the root
    # an edit changes what a tree weighs by what it costs at the most
    if int(predicted_tree.weights().sum()) - 1 >= 2 * expected_weight:
        return Score(
            value=0.0, read=excerpt(prediction), why=f"{len(predicted_tree)} nodes, expected {len(expected_tree)}"
        )
    edits = distance(predicted_tree, expected_tree)
    return Score(
        value=max(0.0, 1 - edits / expected_weight), read=excerpt(prediction), why=f"{edits} edits of {expected_weight}"
    )
