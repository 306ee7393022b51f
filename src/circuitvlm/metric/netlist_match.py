"""Score how far two netlists are the same circuit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.behaviour import same_behaviour
from circuitvlm.circuit.judge.equivalence import compare
from circuitvlm.circuit.netlist import format as format_netlist
from circuitvlm.core.record import Score

Aspect = Literal[
    "topology",
    "values",
    "names",
    "component_f1",
    "pin_f1",
    "kind_f1",
    "name_f1",
    "component_precision",
    "component_recall",
    "unsigned_topology",
    "electrical",
]

_cached_compare = lru_cache(maxsize=8)(compare)  # the aspects of one reply are scored in turn


class NetlistMatch:
    """One aspect of `judge.equivalence.compare`, or `electrical`: `judge.behaviour.same_behaviour`.

    topology | unsigned_topology | values | names | electrical are 0 or 1; component_f1 | component_precision |
    component_recall | kind_f1 | name_f1 | pin_f1 are from 0 to 1. A reply with
    `unsigned_topology` but not `topology` has a wrong polarity only.
    """

    def __init__(self, *, aspect: Aspect) -> None:
        self.aspect = aspect

    def score(self, prediction: Any, truth: Any) -> Score:
        """Return 0 for a prediction that is not a circuit: an unreadable answer is wrong."""
        if not isinstance(prediction, Circuit) or not isinstance(truth, Circuit):
            return Score(value=0.0, why="not readable as a netlist")
        if self.aspect == "electrical":
            value = same_behaviour(prediction, truth)
        else:
            value = getattr(_cached_compare(prediction, truth), self.aspect)
        return Score(value=float(value), read=format_netlist(prediction))
