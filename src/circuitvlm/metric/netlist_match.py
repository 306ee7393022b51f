"""How good? As far as two netlists are the same circuit."""

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

_compared = lru_cache(maxsize=8)(compare)  # a reply is asked for one aspect after the other


class NetlistMatch:
    """One aspect of `circuit.equivalence.compare`, or `electrical`: `circuit.behaviour.same_behaviour`.

    topology | unsigned_topology | values | names | electrical are 0 or 1; component_f1 | component_precision |
    component_recall | kind_f1 | name_f1 | pin_f1 are from 0 to 1. What `unsigned_topology` has and `topology` has not
    is right but for a polarity.
    """

    def __init__(self, *, aspect: Aspect) -> None:
        self.aspect = aspect

    def score(self, predicted: Any, truth: Any) -> Score:
        """0 for what is no circuit: an answer that could not be read is wrong."""
        if not isinstance(predicted, Circuit) or not isinstance(truth, Circuit):
            return Score(value=0.0, why="not readable as a netlist")
        return Score(value=self._value(predicted, truth), read=format_netlist(predicted))

    def _value(self, predicted: Circuit, truth: Circuit) -> float:
        if self.aspect == "electrical":
            return float(same_behaviour(predicted, truth))
        return float(getattr(_compared(predicted, truth), self.aspect))
