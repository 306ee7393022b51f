"""Ask for a number, with or without a unit."""

from __future__ import annotations

from circuitvlm.circuit.judge.answer import Truth
from circuitvlm.core.record import Example
from circuitvlm.task._question import QuestionTask


class Number(QuestionTask):
    """A quantity such as `12 V` that is compared with the stated one."""

    kind = "number"

    def read(self, text: str) -> str | None:
        return text.strip() or None

    def truth(self, example: Example) -> Truth:
        return Truth(answer=self.fact(example, "answer"))
