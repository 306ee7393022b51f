"""Score whether the prediction equals the truth."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score


class Exact:
    """1 where the two values are equal as Python values, such as two circuits with the same lines."""

    def score(self, prediction: Any, truth: Any) -> Score:
        return Score(
            value=float(prediction is not None and prediction == truth),
            read="" if prediction is None else str(prediction),
        )
