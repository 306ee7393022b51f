"""Score whether an answer could be read."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score


class Readable:
    """1 where the task could read an answer from the reply."""

    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(value=0.0 if prediction is None or prediction == "" else 1.0)
