"""Ask for a number, with or without a unit."""

from __future__ import annotations

from circuitvlm.task._question import QuestionTask


class Number(QuestionTask):
    """A quantity such as `12 V` that is compared with the stated one."""

    kind = "number"
