"""How good? Whether a reply was an object as it was asked for, or could be read as one only with some help."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.core.record import Score

_REFUSED = {"strict": ("found", "repaired"), "complete": ("repaired",)}


class JsonValid:
    """1 for a reply that is nothing but a well-formed object (`strict`), or that holds a whole one (`complete`).

    What was read says as `mended` how: "" as it stands, "found" among other words or with commas too many, "repaired"
    where it was cut off and has been closed. What `readable` has and `complete` has not is the share of the repaired.
    """

    def __init__(self, *, aspect: Literal["strict", "complete"]) -> None:
        if aspect not in _REFUSED:
            raise ValueError(f"json_valid: aspect is {aspect!r}; wanted strict or complete")
        self.aspect = aspect

    def score(self, predicted: Any, truth: Any) -> Score:
        if not isinstance(predicted, dict):
            return Score(value=0.0, why="no object that could be read")
        mended = getattr(predicted, "mended", "")
        return Score(value=float(mended not in _REFUSED[self.aspect]), why=mended)
