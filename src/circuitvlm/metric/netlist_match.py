"""How good? As far as two netlists are the same circuit."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.circuit.equivalence import compare
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.netlist import format as format_netlist
from circuitvlm.core.record import Score


class NetlistMatch:
    """One aspect of `circuit.equivalence.compare`: topology | values | names (0 or 1), component_f1 | pin_f1 (0..1)."""

    def __init__(self, *, aspect: Literal["topology", "values", "names", "component_f1", "pin_f1"]) -> None:
        self.aspect = aspect

    def score(self, predicted: Any, truth: Any) -> Score:
        """0 for what is no circuit: an answer that could not be read is wrong."""
        if not isinstance(predicted, Circuit) or not isinstance(truth, Circuit):
            return Score(value=0.0, why="not readable as a netlist")
        result = compare(predicted, truth)
        return Score(value=float(getattr(result, self.aspect)), read=format_netlist(predicted))
