"""How good? Whether what was read is just what was wanted."""

from __future__ import annotations

from typing import Any

from circuitvlm.core.record import Score


class Exact:
    """1 where the two values are equal as Python values, such as two circuits with the same lines."""

    def score(self, predicted: Any, truth: Any) -> Score:
        return Score(
            value=float(predicted is not None and predicted == truth), read="" if predicted is None else str(predicted)
        )
