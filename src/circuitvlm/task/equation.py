"""What is asked, and how is an answer read? A formula for a voltage, a current, or anything else."""

from __future__ import annotations

from circuitvlm.circuit.judge.answer import Truth
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.solve import probe
from circuitvlm.core.record import Example
from circuitvlm.task._asking import Asking


class Equation(Asking):
    """A node's voltage, a current or another expression, such as `Vn1(s) = V1*R2/(s*(R1+R2))`.

    Held against the netlist where the example has one and says which `unknown` of it is asked for, else against the
    true formula alone.
    """

    kind = "equation"

    def read(self, text: str) -> str | None:
        return text.strip() or None

    def truth(self, example: Example) -> Truth:
        netlist, unknown = example.facts.get("netlist"), example.facts.get("unknown")
        answer = self.fact(example, "answer")
        if isinstance(netlist, str) and isinstance(unknown, str):
            return Truth(answer=answer, circuit=parse(netlist), probe=probe.parse(unknown))
        return Truth(answer=answer)
