"""Ask for a formula: a voltage, a current or another expression."""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.judge.answer import Truth
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.solve import probe
from circuitvlm.core.record import Example
from circuitvlm.task._question import QuestionTask


class Equation(QuestionTask):
    """A node's voltage, a current or another expression, such as `Vn1(s) = V1*R2/(s*(R1+R2))`.

    It is compared with the netlist where the example states one and the `unknown` of it; else with the true formula.
    """

    kind = "equation"

    def truth(self, example: Example) -> Truth:
        netlist, unknown = example.facts.get("netlist"), example.facts.get("unknown")
        truth: Truth = super().truth(example)
        if isinstance(netlist, str) and isinstance(unknown, str):
            return replace(truth, circuit=parse(netlist), probe=probe.parse(unknown))
        return truth
