"""Score whether a reply is a well-formed JSON object without repair."""

from __future__ import annotations

from typing import Any, Literal

from circuitvlm.core.record import Score

_WRONG_REPAIRS = {"strict": ("found", "repaired"), "complete": ("repaired",)}


class JsonValid:
    """1 for a reply that is a well-formed object and nothing else (`strict`), or holds a whole one (`complete`).

    The prediction states in `mended` how it was read: "" as it stands, "found" among other text or with extra commas,
    "repaired" where it was cut off and has been closed. `readable` minus `complete` is the share of repaired replies.
    """

    def __init__(self, *, aspect: Literal["strict", "complete"]) -> None:
        if aspect not in _WRONG_REPAIRS:
            raise ValueError(f"metric json_valid: aspect: expected 'strict' or 'complete', got {aspect!r}")
        self.aspect = aspect

    def score(self, prediction: Any, truth: Any) -> Score:
        if not isinstance(prediction, dict):
            return Score(value=0.0, why="not readable as an object")
        repair = getattr(prediction, "mended", "")
        return Score(value=float(repair not in _WRONG_REPAIRS[self.aspect]), why=repair)
