"""What is asked, and how is an answer read? A number, with or without a unit, of a question without a netlist."""

from __future__ import annotations

from circuitvlm.circuit.judge.answer import Truth
from circuitvlm.core.record import Example
from circuitvlm.task._asking import Asking


class Number(Asking):
    """A quantity such as `12 V` that is judged against the stated one."""

    kind = "number"

    def read(self, text: str) -> str | None:
        return text.strip() or None

    def truth(self, example: Example) -> Truth:
        return Truth(answer=self.fact(example, "answer"))
