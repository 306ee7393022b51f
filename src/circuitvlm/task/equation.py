"""What is asked, and how is an answer read? A formula that no netlist checks: it is judged against the true formula."""

from __future__ import annotations

from circuitvlm.circuit.answer import Truth
from circuitvlm.core.record import Example
from circuitvlm.task._asking import Asking


class Equation(Asking):
    """A node's voltage, a current or another expression, such as `Vn1(s) = V1*R2/(s*(R1+R2))`."""

    kind = "equation"

    def read(self, text: str) -> str | None:
        return text.strip() or None

    def truth(self, example: Example) -> Truth:
        return Truth(answer=self.fact(example, "answer"))
