"""How good? Whether an answer could be read at all."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score


class Readable:
    """1 for whatever the task's reader made something of."""

    def score(self, predicted: Any, truth: Any) -> Score:
        return Score(value=0.0 if predicted is None or predicted == "" else 1.0)
