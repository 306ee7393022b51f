"""How good? As far as a JSON object is the right tree: Donut's accuracy, by tree edit distance."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score
from circuitvlm.metric._fields.distance import Tree, distance
from circuitvlm.metric._fields.fields import TooLargeError, normalise, shown


class JsonTree:
    """1 - (edits from what was said to the truth) / (edits from nothing to the truth), at least 0.

    What costs twice the truth or more is worth exactly 0 and takes no time. Worth 0, too: what is nested more than 64
    deep, has more than 100,000 values, or more to compare than two receipts of about 500 items.
    """

    def score(self, predicted: Any, truth: Any) -> Score:
        if not isinstance(predicted, dict) or not isinstance(truth, dict):
            return Score(value=0.0, why="no object that could be read")
        try:
            return _compared(predicted, truth)
        except TooLargeError as error:
            return Score(value=0.0, why=str(error))


def _compared(predicted: dict[str, Any], truth: dict[str, Any]) -> Score:
    said, wanted = normalise(predicted), normalise(truth)
    if said == wanted:
        return Score(value=1.0, read=shown(predicted))
    one, two = Tree.of(said), Tree.of(wanted)
    nothing = int(two.weights().sum()) - 1  # all but the root
    if int(one.weights().sum()) - 1 >= 2 * nothing:  # an edit changes what a tree weighs by what it costs at the most
        return Score(value=0.0, read=shown(predicted), why=f"{len(one)} nodes said of {len(two)} wanted")
    edits = distance(one, two)
    return Score(value=max(0.0, 1 - edits / nothing), read=shown(predicted), why=f"{edits} edits of {nothing}")
