"""What is smaller in a run that only proves that its recipe runs?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHANGED: Mapping[str, Any] = {
    "steps": 1,
    "epochs": None,
    "validate_items": 4,
    "evaluate_items": 4,
    "init_adapter": None,
}
"""What `standin=true` changes beside the model and the controls, of which it has none."""

COUNT = 64
"""In a stand-in's run, each `count` of the data section is lowered to this."""


def small(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A stand-in's settings; one that has been trained already keeps its adapter and its zero steps."""
    made = {**settings, **CHANGED, "data": _few(settings["data"])}
    return made if settings["steps"] != 0 else {**made, **{key: settings[key] for key in ("steps", "init_adapter")}}


def _few(section: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of sources, every `count` lowered to a stand-in's."""
    few: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            few[key] = _few(value)
        elif key == "count" and isinstance(value, int):
            few[key] = min(value, COUNT)
        else:
            few[key] = value
    return few
